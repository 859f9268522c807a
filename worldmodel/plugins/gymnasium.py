"""Gymnasium: visual foresight as a policy of any environment that is seen in pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.model import WorldModel
from worldmodel.planners.goals import Goal
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.space import Choices, action_space_of


@final
class PixelPolicy:
    """From what an environment shows to its next action.

    The picture is the observation itself, an entry of it, or what the environment renders. In a
    vector environment each of the E environments has an agent of its own, that begins anew with
    each of its episodes.

    Args:
        env: The environment, or a vector of them; only its spaces are looked at, and `render` is
            called where the observation is no picture.
        model: The world model, of pictures of the same size.
        planning: How to plan.
        pixels: Key of the picture in an observation that is a dictionary; found if there is one.
        seed: Of all randomness.

    Raises:
        InputError: There are no pictures, the model is for those of another size, or the planner
            or the model does not fit the actions. The size of what is rendered is known only then.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any],
        model: WorldModel,
        planning: PlanningConfig | None = None,
        pixels: str | None = None,
        seed: int = 0,
    ) -> None:
        planning = planning or PlanningConfig()
        self._vector = isinstance(env, VectorEnv)
        self._action_space = (
            env.single_action_space if isinstance(env, VectorEnv) else env.action_space
        )
        self._sight = _Sight(env, pixels)
        self._sight.check(model)
        self._space = action_space_of(self._action_space)
        mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._begins_late = mode == AutoresetMode.NEXT_STEP
        environments = env.num_envs if isinstance(env, VectorEnv) else 1
        self._agents = [
            planning.agent(planning.foresight(model), self._space) for _ in range(environments)
        ]
        self._randomness = [torch.Generator().manual_seed(seed + i) for i in range(environments)]
        self._goals: list[Goal | None] = [None] * environments
        self._fresh = [True] * environments

    def reset(self, goal: Goal | Sequence[Goal], environment: int | None = None) -> None:
        """Begin an episode.

        Args:
            goal: The picture to reach, or a list of pictures to pass through; of a vector
                environment a list with that for each of E, or one picture for all.
            environment: Number of the one environment of a vector that it is meant for.

        Raises:
            InputError: The goal is no picture as the model sees it, or there are not E of them.
        """
        count = len(self._agents)
        if environment is not None and environment not in range(count):
            raise InputError(
                f"environment: expected a number of 0 to {count - 1}, got {environment!r}"
            )
        chosen = range(count) if environment is None else [environment]
        goals: Sequence[Any] = [goal] * len(chosen)
        if self._vector and environment is None and isinstance(goal, (list, tuple)):
            goals = goal
        if len(goals) != len(chosen):
            raise InputError(f"goal: expected one for each of {len(chosen)}, got {len(goals)}")
        for i, one in zip(chosen, goals, strict=True):
            self._agents[i].reset(one, self._randomness[i])
            self._goals[i], self._fresh[i] = one, False

    def __call__(
        self,
        observation: Any,
        info: Mapping[str, Any] | None = None,
        ended: np.ndarray | bool = False,
    ) -> Any:
        """The next action.

        Args:
            observation: From `reset` or `step`.
            info: Likewise; nothing in it is looked at.
            ended: Whether the episode ended with that step, `terminated | truncated`. A vector
                environment then begins the next one by itself, and so does the policy, towards the
                same goal unless `reset` says another.

        Returns:
            What `env.step` takes. It does not matter in the step in which a vector environment
            begins an episode.

        Raises:
            InputError: There was no `reset`, or the picture does not fit the model.
        """
        pictures = self._sight(observation)
        if len(pictures) != len(self._agents):
            raise InputError(
                f"observation: expected pictures of {len(self._agents)} environments, "
                f"got {len(pictures)}"
            )
        over = np.broadcast_to(np.asarray(ended, dtype=bool), len(pictures))
        actions = [self._act(i, *seen) for i, seen in enumerate(zip(pictures, over, strict=True))]
        found = np.stack([self._executable(action) for action in actions])
        return found if self._vector else found[0]

    def _act(self, i: int, picture: np.ndarray, ended: bool) -> Tensor:
        if ended and self._begins_late:
            self._fresh[i] = True
            return self._space.rest(())
        if (self._fresh[i] or ended) and (goal := self._goals[i]) is not None:
            self._agents[i].reset(goal, self._randomness[i])
        self._fresh[i] = False
        return torch.from_numpy(self._agents[i].act(picture))

    def _executable(self, action: Tensor) -> np.ndarray | np.int64:
        """An action of the environment: its number if there are so many to choose from."""
        if isinstance(self._space, Choices):
            assert isinstance(self._action_space, gym.spaces.Discrete)
            return np.int64(int(self._space.index(action)) + int(self._action_space.start))
        return action.numpy().astype(self._action_space.dtype)


@final
class _Sight:
    """Where the pictures of an environment are: uint8 (E, H, W, C)."""

    def __init__(
        self, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any], pixels: str | None
    ) -> None:
        self._vector = isinstance(env, VectorEnv)
        space = (
            env.single_observation_space if isinstance(env, VectorEnv) else env.observation_space
        )
        self._render: Callable[[], Any] = env.render
        self._key = _picture_key(space, pixels)
        entry = space if self._key is None else space[self._key]  # pyright: ignore
        self._shape = entry.shape if _is_picture(entry) else None
        self._rendered = self._shape is None
        if self._rendered and env.render_mode != "rgb_array":
            raise InputError(
                "env: expected pictures, uint8 of shape (H, W, 1 or 3), among its observations, or "
                f"render_mode='rgb_array', got {space} and {env.render_mode!r}"
            )

    def check(self, model: WorldModel) -> None:
        """Refuse pictures that a model is not for, if their size is known before they are seen."""
        channels, *size = model.frame_shape
        if self._shape is not None and self._shape != (*size, channels):
            raise InputError(
                f"env: this model expects pictures of (H, W, C) = {(*size, channels)}, "
                f"got {self._shape}"
            )

    def __call__(self, observation: Any) -> np.ndarray:
        seen = observation if self._key is None else observation[self._key]
        seen = self._render() if self._rendered else seen
        return np.stack(seen) if self._vector else np.asarray(seen)[None]


def _picture_key(space: gym.Space[Any], wanted: str | None) -> str | None:
    """Key of the picture in a dictionary; None if there is no dictionary, or no picture in it."""
    entries = space.spaces if isinstance(space, gym.spaces.Dict) else {}
    pictures = [key for key, entry in entries.items() if _is_picture(entry)]
    if wanted is None and len(pictures) < 2:
        return pictures[0] if pictures else None
    if wanted in pictures:
        return wanted
    raise InputError(
        f"pixels: expected the key of one picture, got {wanted}; "
        f"available: {', '.join(pictures) or 'none'}"
    )


def _is_picture(space: gym.Space[Any]) -> bool:
    return (
        isinstance(space, gym.spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and space.shape[-1] in (1, 3)
    )
