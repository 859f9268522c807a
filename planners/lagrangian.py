"""Planning within hard limits by multipliers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.planners.cem import CEMConfig, CEMPlanner
from worldmodel.planners.sampling import lowest
from worldmodel.planners.search import Search


@final
@dataclass(frozen=True)
class LagrangianConfig(CEMConfig):
    """Options of `Lagrangian`; see `CEMConfig` for the others.

    Attributes:
        iterations: Rounds of drawing, refitting, and raising the price of what exceeds a limit.
        penalty: Price of an excess as large as the spread of excesses, in spreads of the cost.
        growth: Factor of the penalty after an iteration whose best candidate exceeds a limit.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    iterations: int = 5
    penalty: float = 1.0
    growth: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("penalty", 0 < self.penalty < math.inf, "above 0 and finite")
        self._check("growth", 1 <= self.growth < math.inf, "at least 1 and finite")

    def build(self) -> Lagrangian:
        """See `PlannerConfig.build`."""
        return Lagrangian(self)


@final
class Lagrangian(CEMPlanner[LagrangianConfig]):
    """CEM on an augmented Lagrangian (Hestenes, 1969; Powell, 1969).

    Costs and excesses are measured in their own spread, so that one penalty fits all units. The
    plan is the best candidate that keeps all limits; if none does, the one that exceeds them least.
    """

    keeps_limits = True

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """See `Planner.search`."""
        drawn, config = self.start(search), self.config
        prices: _Prices | None = None
        best = self.decisions(search.others[:, :0])
        costs = excess = best.new_empty(0)
        for iteration in range(config.iterations):
            sampled = drawn.sample(config.candidates - 1, search.generator)
            fresh = torch.cat([drawn.center[:, None], sampled], dim=1)
            fresh_costs, fresh_excess = search.costs_and_excess(self.actions(fresh))
            if iteration:
                fresh = torch.cat([best, fresh], dim=1)
                fresh_costs = torch.cat([costs, fresh_costs], dim=1)
                fresh_excess = torch.cat([excess, fresh_excess], dim=1)
            prices = prices or _Prices.of(fresh_costs, fresh_excess, config.penalty)
            priced = prices.of_candidates(fresh_costs, fresh_excess)
            best, costs, excess = _best(fresh, fresh_costs, fresh_excess, priced, config.kept)
            if search.over:
                break
            drawn = self.refit(drawn, fresh, priced)
            prices = prices.raised(excess[:, 0], config.growth)
        return search.best, self.actions(best)


@dataclass(frozen=True)
class _Prices:
    """What an excess costs.

    Attributes:
        cost_spread: Shape (E, 1).
        excess_spread: Shape (E, 1, L).
        multiplier: λ, at least 0. Shape (E, 1, L).
        penalty: ρ. Shape (E, 1, L).
    """

    cost_spread: Tensor
    excess_spread: Tensor
    multiplier: Tensor
    penalty: Tensor

    @classmethod
    def of(cls, costs: Tensor, excess: Tensor, penalty: float) -> _Prices:
        """No multiplier yet; spreads are those of the candidates."""
        spread = _spread(excess)
        rho = torch.full_like(spread, penalty)
        return cls(_spread(costs), spread, torch.zeros_like(spread), rho)

    def of_candidates(self, costs: Tensor, excess: Tensor) -> Tensor:
        """The augmented Lagrangian of costs (E, N) and excesses (E, N, L). Shape (E, N)."""
        shifted = (self.multiplier + self.penalty * excess / self.excess_spread).clamp(min=0)
        paid = (shifted.square() - self.multiplier.square()) / (2 * self.penalty)
        return costs / self.cost_spread + paid.sum(-1)

    def raised(self, excess: Tensor, growth: float) -> _Prices:
        """After an iteration whose best candidate has this excess (E, L)."""
        relative = excess[:, None] / self.excess_spread
        multiplier = (self.multiplier + self.penalty * relative).clamp(min=0)
        penalty = torch.where(relative > 0, growth * self.penalty, self.penalty)
        return _Prices(self.cost_spread, self.excess_spread, multiplier, penalty)


def _spread(values: Tensor) -> Tensor:
    """Standard deviation over candidates of what is finite, 1 where all are alike."""
    finite = torch.isfinite(values)
    count = finite.sum(1, keepdim=True).clamp(min=1)
    mean = values.where(finite, 0.0).sum(1, keepdim=True) / count
    spread = ((values - mean).where(finite, 0.0).square().sum(1, keepdim=True) / count).sqrt()
    return spread.where(spread > 0, 1.0)


def _best(
    sequences: Tensor, costs: Tensor, excess: Tensor, priced: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences, costs and excesses of the candidates of least priced cost, best first."""
    order = priced.topk(count, dim=1, largest=False).indices
    best, _ = lowest(sequences, priced, count)
    return best, costs.take_along_dim(order, 1), excess.take_along_dim(order[:, :, None], 1)
