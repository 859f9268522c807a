"""Planners that never look at the objective: what every other planner must beat."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.errors import check_at_least
from worldmodel.planners.planner import Bounds, Objective, Plan, Planner, PlannerConfig


@dataclass(frozen=True)
class BaselineConfig(PlannerConfig, ABC):
    """Options of a baseline.

    Attributes:
        horizon: Steps T of a plan.
    """

    horizon: int = 12

    def __post_init__(self) -> None:
        check_at_least(1, self, "horizon")


class Baseline(Planner, ABC):
    """A plan that costs no evaluation."""

    def __init__(self, config: BaselineConfig) -> None:
        self.config = config

    @property
    def horizon(self) -> int:
        """See `Planner.horizon`."""
        return self.config.horizon

    @abstractmethod
    def actions(
        self, shape: tuple[int, int, int], bounds: Bounds, generator: torch.Generator
    ) -> Tensor:
        """Actions of shape (E, T, A)."""

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
        actions = bounds.clamp(self.actions(shape, bounds, generator))
        cost = actions.new_full((environments,), torch.nan)
        return Plan(actions, cost, evaluations=0, seconds=time.perf_counter() - start)


@final
@dataclass(frozen=True)
class RandomConfig(BaselineConfig):
    """Options of `RandomPlanner`."""

    def build(self) -> RandomPlanner:
        """See `PlannerConfig.build`."""
        return RandomPlanner(self)


@final
class RandomPlanner(Baseline):
    """Uniform actions within the bounds."""

    def actions(
        self, shape: tuple[int, int, int], bounds: Bounds, generator: torch.Generator
    ) -> Tensor:
        """See `Baseline.actions`."""
        share = torch.rand(shape, generator=generator, device=generator.device).to(bounds.low)
        return torch.lerp(bounds.low, bounds.high, share)


@final
@dataclass(frozen=True)
class NullConfig(BaselineConfig):
    """Options of `NullPlanner`."""

    def build(self) -> NullPlanner:
        """See `PlannerConfig.build`."""
        return NullPlanner(self)


@final
class NullPlanner(Baseline):
    """No motion: the action 0, or the nearest to it within the bounds."""

    def actions(
        self, shape: tuple[int, int, int], bounds: Bounds, generator: torch.Generator
    ) -> Tensor:
        """See `Baseline.actions`."""
        return bounds.low.new_zeros(shape)
