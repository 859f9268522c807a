"""A cost on latents: how far a model's features are from those of the goal picture."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.model import WorldModel
from worldmodel.planners.cost import Cost, CostConfig
from worldmodel.rollout import begin, imagine


@final
@dataclass(frozen=True)
class GoalLatentConfig(CostConfig):
    """No options."""

    def build(self, goal: Tensor, model: WorldModel | None) -> Cost:
        """See `CostConfig.build`."""
        if model is None:
            raise InputError("goal-latent: expected a learned model, got none")
        rest = torch.zeros(len(goal), 1, model.action_dim)
        return GoalLatent(next(imagine(model, begin(model, goal), rest)).latent)


@final
class GoalLatent(Cost):
    """Mean squared difference to the latent of the goal, for E = 1."""

    def __init__(self, goal: Tensor) -> None:
        self._goal = goal

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`."""
        return (imagined.latent - self._goal).square().mean((1, 2, 3))
