"""Goal environments through TorchRL's Gymnasium door."""

from __future__ import annotations

from typing import Any, cast, final

import gymnasium as gym
import numpy as np
import torch
from torchrl.data import Binary, Unbounded
from torchrl.envs import (
    EnvBase,
    GymWrapper,
    InitTracker,
    TransformedEnv,
    default_info_dict_reader,
)

from worldmodel.envs.goal_env import MEMBERS, GoalEnv
from worldmodel.errors import InputError


def goal_env(
    env: GoalEnv, steps: int | None = None, device: torch.device | str | None = None
) -> EnvBase:
    """A goal environment as TorchRL has it.

    TensorDicts hold `pixels` and `goal`, uint8 (H, W, 3); `success`, bool (1,), and `distance` in
    the suite's unit, float32 (1,), of the present, for judging only; `is_init`; and under `next`
    the reward and how the episode ended.

    Args:
        env: As `worldmodel.make` gives it; closed with what is returned.
        steps: Actions after which an episode is truncated; never if left out.
        device: Of the TensorDicts; none if left out.

    Raises:
        InputError: The environment is no `GoalEnv`, or `steps` is not positive.
    """
    if lacking := [name for name in MEMBERS if not hasattr(env, name)]:
        raise InputError(
            f"goal_env: expected a GoalEnv, {type(env).__name__} lacks {', '.join(lacking)}"
        )
    if steps is not None and steps < 1:
        raise InputError(f"steps: expected at least 1 action, got {steps}")
    seen: gym.Env[Any, Any] = _GoalSeen(cast("gym.Env[Any, Any]", env))
    if steps is not None:
        seen = gym.wrappers.TimeLimit(seen, steps)
    wrapped = GymWrapper(seen, device=device)
    told = {
        "success": Binary(shape=torch.Size([1]), dtype=torch.bool, device=device),
        "distance": Unbounded(1, device=device),
    }
    wrapped.set_info_dict_reader(default_info_dict_reader(list(told), spec=told))
    return TransformedEnv(wrapped, InitTracker())


@final
class _GoalSeen(gym.Wrapper[Any, Any, Any, Any]):
    """Shows the goal beside the picture, and tells of success in arrays, as the reader asks."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        picture = env.observation_space
        self.observation_space = gym.spaces.Dict({"pixels": picture, "goal": picture})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        seen, info = self.env.reset(seed=seed, options=options)
        return self._beside_goal(seen), _arrays(info)

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], Any, bool, bool, dict[str, Any]]:
        seen, reward, terminated, truncated, info = self.env.step(action)
        return self._beside_goal(seen), reward, terminated, truncated, _arrays(info)

    def _beside_goal(self, seen: np.ndarray) -> dict[str, np.ndarray]:
        return {"pixels": seen, "goal": cast("GoalEnv", self.env).goal_image}


def _arrays(info: dict[str, Any]) -> dict[str, np.ndarray]:
    return {
        "success": np.array([info["success"]], bool),
        "distance": np.array([info["distance"]], np.float32),
    }
