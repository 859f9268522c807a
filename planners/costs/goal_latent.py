"""How far what is imagined is from the goal in the model's own features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from worldmodel.errors import InputError, check_whole
from worldmodel.imagined import Imagined
from worldmodel.model import WorldModel
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import difference
from worldmodel.rollout import advance, begin


@final
@dataclass(frozen=True)
class GoalLatentConfig(CostConfig):
    """Options of `GoalLatent`.

    Attributes:
        settle: Steps at rest for which the model looks at the goal, at least 1.
        pool: Side of the squares of positions that are averaged first; 1 compares every position.

    Raises:
        InputError: A number is too small.
    """

    settle: int = 2
    pool: int = 1

    def __post_init__(self) -> None:
        check_whole(1, self, "settle", "pool")

    def build(self, scene: Scene) -> GoalLatent:
        """See `CostConfig.build`; it needs a learned model."""
        return GoalLatent(scene.model("goal-latent"), scene.goal, self.settle, self.pool)


@final
class GoalLatent(Cost):
    """Mean squared difference to the goal's latent, of the model that imagines.

    A recurrent model has no latent of a single picture: it looks at the goal for a few steps of
    the action 0, rest, and what it then holds is compared with what it holds after imagining. Of
    an ensemble it is the first model that counts.

    Args:
        model: What imagines; put into evaluation mode.
        goal: Values in [0, 1]. Shape (E, C, H, W).
        settle: Steps at rest, at least 1.
        pool: Side of the squares of positions that are averaged first; it divides the latent's
            height and width.

    Raises:
        InputError: A number is no whole one or too small, the goal does not fit the model, or the
            pooling does not fit the latent.
    """

    def __init__(self, model: WorldModel, goal: Tensor, settle: int = 2, pool: int = 1) -> None:
        GoalLatentConfig(settle, pool)  # refuses what is out of range
        latent = _settled(model.eval(), goal, settle)
        if any(side % pool for side in latent.shape[-2:]):
            raise InputError(
                "pool: expected a side that divides the latent's "
                f"{latent.shape[-2]} x {latent.shape[-1]} positions, got {pool}"
            )
        self._pool = pool
        self._goal = avg_pool2d(latent, pool)

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`.

        Raises:
            InputError: The future comes from a simulator, which has no latents.
        """
        latent = avg_pool2d(imagined.latent, self._pool)
        return difference(latent, self._goal, "latent", "goal's").square().flatten(1).mean(1)


@torch.no_grad()
def _settled(model: WorldModel, goal: Tensor, settle: int) -> Tensor:
    """Latent of a model that has looked at the goal at rest. Shape (E, D, h, w)."""
    goal = goal.to(model.device, model.dtype)
    rest = goal.new_zeros(len(goal), model.action_dim)
    model.check_input(goal, rest)
    state = begin(model, goal)
    for _ in range(settle):
        state = advance(model, state, rest, goal)
    return model.latent(state["recurrent"])
