"""Planning by predictive sampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from torch import Tensor

from worldmodel.planners.noise import TruncatedNormal
from worldmodel.planners.sampling import SamplingConfig, SamplingPlanner, lowest


@final
@dataclass(frozen=True)
class PredictiveSamplingConfig(SamplingConfig):
    """Options of `PredictiveSampling`; see `SamplingConfig`."""

    iterations: int = 1
    initial_std: float = 0.3

    def build(self) -> PredictiveSampling:
        """See `PlannerConfig.build`."""
        return PredictiveSampling(self)


@final
class PredictiveSampling(SamplingPlanner[PredictiveSamplingConfig]):
    """Predictive sampling (Howell et al., 2022): noise around the best sequence so far."""

    def refit(self, drawn: TruncatedNormal, sequences: Tensor, costs: Tensor) -> TruncatedNormal:
        """Around the best candidate, as wide as before."""
        best, _ = lowest(sequences, costs, 1)
        return replace(drawn, mean=best[:, 0])
