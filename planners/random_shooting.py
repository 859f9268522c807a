"""Planning by random shooting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.planners.sampling import PopulationConfig, PopulationPlanner
from worldmodel.planners.search import Search
from worldmodel.planners.space import ActionSpace, Bounds, Choices


@final
@dataclass(frozen=True)
class RandomShootingConfig(PopulationConfig):
    """Options of `RandomShooting`; see `PopulationConfig`. Iterations only split the work."""

    candidates: int = 240
    iterations: int = 1

    def build(self) -> RandomShooting:
        """See `PlannerConfig.build`."""
        return RandomShooting(self)


@final
@dataclass(frozen=True)
class Uniform:
    """Actions drawn evenly.

    Attributes:
        center: The one candidate that is evaluated beside those drawn. Shape (E, T', A).
        space: What actions there are.
    """

    center: Tensor
    space: ActionSpace

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw `count` sequences, the same for every environment. Shape (E, N, T', A)."""
        environments, steps, _ = self.center.shape
        drawn = self.space.uniform((count, steps), generator)
        return drawn.expand(environments, *drawn.shape)


@final
class RandomShooting(PopulationPlanner[RandomShootingConfig, Uniform]):
    """Takes the best of candidates that are drawn evenly, the previous plan, or no motion."""

    spaces = (Bounds, Choices)

    def start(self, search: Search) -> Uniform:
        """See `PopulationPlanner.start`."""
        rest = search.space.rest(search.shape[:2])
        return Uniform(self.decisions(rest if search.start is None else search.start), search.space)

    def refit(self, drawn: Uniform, sequences: Tensor, costs: Tensor) -> Uniform:
        """See `PopulationPlanner.refit`; nothing is learned from what was seen."""
        return drawn
