"""A cost of the actions alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene


@final
@dataclass(frozen=True)
class ActionPenaltyConfig(CostConfig):
    """Builds `ActionPenalty`; it has no options."""

    def build(self, scene: Scene) -> ActionPenalty:
        """See `CostConfig.build`."""
        return ActionPenalty()


@final
class ActionPenalty(Cost):
    """Sum of the squared actions, against needless motion."""

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`."""
        return imagined.action.square().sum(-1)
