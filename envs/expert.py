"""The scripted expert, who sees the simulator, as a contestant and as a collection policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np
import torch
from torch import Tensor

from worldmodel.envs.goal_env import Expert, GoalEnv
from worldmodel.errors import InputError
from worldmodel.imagined import Imagined


@final
class ExpertAgent:
    """Does what the environment's expert does, who sees the simulator; an `Agent`.

    Args:
        env: What is being played; E = 1.
    """

    imagined_steps = 0

    def __init__(self, env: Expert) -> None:
        self._env = env

    def check(self, goal: Tensor, seen: Tensor) -> None:
        """Nothing to refuse: the expert looks at no picture."""

    def reset(self, goal: Tensor, generator: torch.Generator) -> None:
        """Nothing to take in: the expert knows the goal and draws nothing."""

    def act(self, seen: Tensor) -> Tensor:
        """See `Agent.act`."""
        return torch.from_numpy(self._env.expert_action())[None]

    def foreseen(self) -> Iterator[Imagined]:
        """Nothing: the expert imagines nothing."""
        return iter(())


def expert_policy(env: GoalEnv, random: np.random.Generator) -> Iterator[np.ndarray]:
    """A collection policy: what the expert does towards the goal.

    Raises:
        InputError: The environment has no expert.
    """
    if not isinstance(env, Expert):
        raise InputError(f"expert: {type(env).__name__} has no `expert_action`")
    while True:
        yield env.expert_action()
