"""Planners that never look at the objective: what every other planner must beat."""

from __future__ import annotations

import time
from typing import final

import torch
from torch import Tensor

from worldmodel.planners.planner import Bounds, Objective, Plan, Planner


@final
class RandomPlanner(Planner):
    """Uniform actions within the bounds."""

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon

    @property
    def horizon(self) -> int:
        """See `Planner.horizon`."""
        return self._horizon

    def plan(
        self,
        objective: Objective,
        bounds: Bounds,
        generator: torch.Generator,
        *,
        environments: int = 1,
        previous: Plan | None = None,
        seconds: float | None = None,
    ) -> Plan:
        """See `Planner.plan`."""
        start = time.perf_counter()
        shape = (environments, self.horizon, len(bounds.low))
        share = torch.rand(shape, generator=generator, device=generator.device).to(bounds.low)
        return _unevaluated(bounds.clamp(torch.lerp(bounds.low, bounds.high, share)), start)


@final
class NullPlanner(Planner):
    """No motion: the action 0, or the nearest to it within the bounds."""

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon

    @property
    def horizon(self) -> int:
        """See `Planner.horizon`."""
        return self._horizon

    def plan(
        self,
        objective: Objective,
        bounds: Bounds,
        generator: torch.Generator,
        *,
        environments: int = 1,
        previous: Plan | None = None,
        seconds: float | None = None,
    ) -> Plan:
        """See `Planner.plan`."""
        start = time.perf_counter()
        zeros = bounds.low.new_zeros(environments, self.horizon, len(bounds.low))
        return _unevaluated(bounds.clamp(zeros), start)


def _unevaluated(actions: Tensor, start: float) -> Plan:
    environments = actions.shape[0]
    return Plan(
        actions=actions,
        cost=actions.new_full((environments,), torch.nan),
        elites=actions[:, None],
        history=actions.new_empty(environments, 0),
        evaluations=0,
        seconds=time.perf_counter() - start,
    )
