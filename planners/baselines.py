"""Planners that never look at the objective: what every other planner must beat."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from torch import Tensor

from worldmodel.errors import check_whole
from worldmodel.planners.planner import Planner, PlannerConfig
from worldmodel.planners.search import Search
from worldmodel.planners.space import Bounds, Choices


@dataclass(frozen=True)
class BaselineConfig(PlannerConfig, ABC):
    """Options of a baseline.

    Attributes:
        horizon: Steps T of a plan.
    """

    horizon: int = 12

    def __post_init__(self) -> None:
        check_whole(1, self, "horizon")


class Baseline(Planner, ABC):
    """A plan that costs no evaluation."""

    spaces = (Bounds, Choices)

    def __init__(self, config: BaselineConfig) -> None:
        self.config = config

    @property
    def horizon(self) -> int:
        """See `Planner.horizon`."""
        return self.config.horizon

    @abstractmethod
    def actions(self, search: Search) -> Tensor:
        """Actions of shape (E, T, A)."""

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """See `Planner.search`."""
        return self.actions(search), search.others[:, :0]


@final
@dataclass(frozen=True)
class RandomConfig(BaselineConfig):
    """Options of `RandomPlanner`."""

    def build(self) -> RandomPlanner:
        """See `PlannerConfig.build`."""
        return RandomPlanner(self)


@final
class RandomPlanner(Baseline):
    """Actions drawn evenly, for each environment its own."""

    def actions(self, search: Search) -> Tensor:
        """See `Baseline.actions`."""
        return search.space.uniform(search.shape[:2], search.generator)


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

    def actions(self, search: Search) -> Tensor:
        """See `Baseline.actions`."""
        return search.space.rest(search.shape[:2])
