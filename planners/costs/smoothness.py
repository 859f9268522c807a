"""A cost of how suddenly the actions change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import difference


@final
@dataclass(frozen=True)
class SmoothnessConfig(CostConfig):
    """Builds `Smoothness`; it has no options."""

    def build(self, scene: Scene) -> Smoothness:
        """See `CostConfig.build`."""
        return Smoothness()


@final
class Smoothness(Cost):
    """Squared difference of an action to the one before, against jerks.

    A plan's first action is compared with the last one that was executed; that of an episode costs
    nothing. A schedule that counts the last step alone leaves one difference of the plan.
    """

    def __init__(self) -> None:
        self._executed: Tensor | None = None

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`."""
        actions, t = imagined.actions, imagined.t
        if t:
            return (actions[:, t] - actions[:, t - 1]).square().sum(-1)
        if self._executed is None:
            return actions.new_zeros(len(actions))
        change = difference(actions[:, 0], self._executed.to(actions), "action", "last action")
        return change.square().sum(-1)

    def observe(self, action: Tensor | None, frame: Tensor) -> None:
        """Remember the action; see `Cost.observe`."""
        self._executed = action
