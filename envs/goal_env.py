"""What planning needs of an environment."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np


class GoalEnv(Protocol):
    """A `gymnasium.Env` that is seen in pictures and shows its goal as one.

    Observations are pictures, uint8 (H, W, 3). The `info` of `reset`, `step` and `advance` holds
    `success`, whether the goal is met now, and `distance` to it, in the suite's unit.

    Attributes:
        metadata: As Gymnasium has it; `render_fps` is the number of actions per second.
        action_space: A Box of shape (A,) with finite limits.
        action_names: One per action dimension.
        domain: Laboratory, robot or look, as recordings name it.
        goal_image: The picture in which the task is done, uint8 (H, W, 3); known after `reset`.
    """

    metadata: dict[str, Any]
    action_space: gym.Space[Any]
    action_names: tuple[str, ...]
    domain: str
    goal_image: np.ndarray

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw a start and a goal; a function of the seed."""
        ...

    def step(self, action: np.ndarray) -> tuple[np.ndarray, Any, bool, bool, dict[str, Any]]:
        """`advance` and look: picture, reward, terminated, truncated, info."""
        ...

    def advance(self, action: np.ndarray) -> dict[str, Any]:
        """Take an action without drawing; returns the `info`."""
        ...

    def render(self) -> Any:
        """The picture of the present, uint8 (H, W, 3)."""
        ...

    def save_state(self) -> Any:
        """Everything that decides the future of this episode except its goal."""
        ...

    def restore_state(self, state: Any) -> None:
        """Return to a saved state, bit for bit; the goal stays."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


MEMBERS = tuple(
    name
    for name in (*GoalEnv.__annotations__, *vars(GoalEnv))
    if not name.startswith("_") and name != "goal_image"
)
"""What a `GoalEnv` has before its first `reset`."""


@runtime_checkable
class Expert(Protocol):
    """An environment that knows a solution."""

    def expert_action(self) -> np.ndarray:
        """What a scripted expert, who sees the simulator, does now. Shape (A,)."""
        ...


@runtime_checkable
class Proprioceptive(Protocol):
    """An environment whose robot knows its own state.

    Attributes:
        state_names: One per state dimension S.
        state_low: Smallest values. Shape (S,).
        state_high: Largest values. Shape (S,).
    """

    state_names: tuple[str, ...]
    state_low: np.ndarray
    state_high: np.ndarray

    def robot_state(self) -> np.ndarray:
        """The robot's state now. Shape (S,)."""
        ...
