"""Planning by model-predictive path integrals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from worldmodel.planners.noise import TruncatedNormal
from worldmodel.planners.sampling import SamplingConfig, SamplingPlanner
from worldmodel.planners.search import Search

_HALVINGS = 60


@final
@dataclass(frozen=True)
class MPPIConfig(SamplingConfig):
    """Options of `MPPI`; see `SamplingConfig` for the others.

    Attributes:
        temperature: λ in the unit of the cost. If left out it is adapted, so that as many
            candidates count as `effective` says, whatever the unit.
        effective: Candidates that count, as a share of all: the effective sample size of the
            weights, above 0 and at most 1.
        adapts_std: The standard deviation becomes that of the weighted candidates.
        min_std: Smallest standard deviation, as a share of half the range, at least 0.000001.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    temperature: float | None = None
    effective: float = 0.1
    adapts_std: bool = True
    min_std: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature is not None:
            self._check("temperature", 0 < self.temperature < math.inf, "above 0 and finite")
        self._check("effective", 0 < self.effective <= 1, "above 0 and at most 1")
        self._check("min_std", 1e-6 <= self.min_std <= self.initial_std, "0.000001 to initial_std")

    def build(self) -> MPPI:
        """See `PlannerConfig.build`."""
        return MPPI(self)


@final
class MPPI(SamplingPlanner[MPPIConfig]):
    """Model-predictive path integral control (Williams et al., ICRA 2017).

    The next mean is the average of all candidates, weighted by exp(-(cost - lowest cost) / λ). The
    last mean is evaluated too, and the best candidate ever evaluated is the plan.
    """

    def refit(self, drawn: TruncatedNormal, sequences: Tensor, costs: Tensor) -> TruncatedNormal:
        """Moved to the weighted mean of all candidates, and their spread."""
        weights = self.weights(costs)[:, :, None, None]
        mean = (weights * sequences).sum(1)
        if not self.config.adapts_std:
            return replace(drawn, mean=mean)
        spread = (weights * (sequences - mean[:, None]).square()).sum(1).sqrt()
        return replace(
            drawn, mean=mean, std=spread.maximum(self.config.min_std * drawn.bounds.half_range)
        )

    def weights(self, costs: Tensor) -> Tensor:
        """Shares that add up to 1, of costs (E, N) of any size; 0 for an infinite cost."""
        above = costs.double() - costs.double().amin(1, keepdim=True)
        if self.config.temperature is None:
            temperature = _temperature(above, max(1.0, self.config.effective * costs.shape[1]))
        else:
            temperature = self.config.temperature
        return torch.softmax(-above / temperature, dim=1).to(costs)

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """See `Planner.search`."""
        best, drawn = self.explore(search)
        if not search.over:
            search.costs(self.actions(drawn.center[:, None]))
        return search.best, best


def _temperature(above: Tensor, effective: float) -> Tensor:
    """λ (E, 1) at which the weights of costs above the lowest (E, N) count for so many candidates.

    Found by halving the interval of log λ; the effective sample size 1 / Σw² grows with λ.
    """
    finite = above.masked_fill(torch.isinf(above), 0.0)
    widest = finite.amax(1, keepdim=True).clamp(min=torch.finfo(above.dtype).tiny)
    low, high = widest.log() - 30, widest.log() + 10
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        weights = torch.softmax(-above / middle.exp(), dim=1)
        enough = 1 / weights.square().sum(1, keepdim=True) >= effective
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return high.exp()
