"""A cost on latents: how far a model's features are from those of the goal picture."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.rollout import begin, imagine


@final
@dataclass(frozen=True)
class GoalFeatureConfig(CostConfig):
    """No options."""

    def build(self, scene: Scene) -> Cost:
        """See `CostConfig.build`."""
        model = scene.model("goal-feature")
        rest = torch.zeros(len(scene.goal), 1, model.action_dim)
        return GoalFeature(next(imagine(model, begin(model, scene.goal), rest)).latent)


@final
class GoalFeature(Cost):
    """Mean squared difference to the latent of the goal, for E = 1."""

    def __init__(self, goal: Tensor) -> None:
        self._goal = goal

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`."""
        return (imagined.latent - self._goal).square().mean((1, 2, 3))
