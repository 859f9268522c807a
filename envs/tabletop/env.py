"""A task on the tabletop as a Gymnasium environment."""

from __future__ import annotations

from typing import Any, final

import gymnasium as gym
import numpy as np

from worldmodel.envs.suite import Size
from worldmodel.envs.tabletop.laboratory import Laboratory, find_laboratory
from worldmodel.envs.tabletop.simulation import (
    ACTION_NAMES,
    CONTROL_PERIOD,
    HIGHEST,
    LOWEST,
    Tabletop,
)
from worldmodel.envs.tabletop.tasks import SUCCESS, Push, Reach, Task
from worldmodel.errors import InputError


@final
class TabletopEnv(gym.Env[np.ndarray, np.ndarray]):
    """A task in a laboratory, seen through its camera; a `GoalEnv` with an `Expert`.

    Observations are pictures, the reward is minus the distance to the goal in metres, and `info`
    holds `success` and `distance` in metres. Episodes end by truncation only.

    Attributes:
        goal_image: The picture in which the task is done. Shape (H, W, 3), uint8.
        action_names: One per action component.
        domain: Name of the laboratory.
        tabletop: The simulation.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  as Gymnasium declares it
        "render_modes": ["rgb_array"],
        "render_fps": round(1 / CONTROL_PERIOD),
    }
    state_names = ("x", "y", "z", "yaw", "gripper")
    state_low = np.append(LOWEST, 0.0)
    state_high = np.append(HIGHEST, 1.0)

    def __init__(
        self,
        task: Task,
        domain: Laboratory | str = "ash",
        size: Size = 64,
        render_mode: str | None = None,
        planar: bool = True,
    ) -> None:
        """Build the laboratory.

        Args:
            task: What should be achieved.
            domain: One of `LABORATORIES` by name, or any other.
            size: Height and width of pictures in pixels, or the two.
            render_mode: None or `rgb_array`.
            planar: Actions are dx, dy with the gripper closed just above the table; otherwise dx,
                dy, dz, dyaw, gripper.

        Raises:
            InputError: There is no such laboratory or render mode.
        """
        if render_mode not in (None, "rgb_array"):
            raise InputError(f"render_mode: expected 'rgb_array' or None, got {render_mode!r}")
        laboratory = find_laboratory(domain) if isinstance(domain, str) else domain
        self.render_mode = render_mode
        self.task, self.planar = task, planar
        self.tabletop = Tabletop(laboratory, size)
        self.domain = laboratory.name
        self.action_names = ACTION_NAMES[:2] if planar else ACTION_NAMES
        self._goal = np.zeros(3)
        self.goal_image = np.zeros(self.tabletop.picture_shape, np.uint8)
        self.observation_space = gym.spaces.Box(0, 255, self.tabletop.picture_shape, np.uint8)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (len(self.action_names),), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw a trial: render its goal, then return to its start."""
        super().reset(seed=seed)
        trial = self.task.sample(self.tabletop, self.planar, self.np_random)
        self.tabletop.reset(trial.goal)
        self.goal_image = self.tabletop.render()
        self._goal = self.task.position(self.tabletop)
        self.tabletop.reset(trial.start)
        return self.tabletop.render(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Take one control step; action shape (A,), clipped to [-1, 1]."""
        info = self.advance(action)
        return self.tabletop.render(), -info["distance"], False, False, info

    def advance(self, action: np.ndarray) -> dict[str, Any]:
        """As `step`, without drawing; returns the `info`.

        Raises:
            InputError: The action has another shape, or is not finite.
        """
        if np.shape(action) != self.action_space.shape or not np.isfinite(action).all():
            raise InputError(
                f"action: expected {len(self.action_names)} finite numbers "
                f"({', '.join(self.action_names)}), got {action}"
            )
        self.tabletop.control(action)
        return self._info()

    def render(self) -> np.ndarray | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The camera's picture in mode `rgb_array`. Shape (H, W, 3), uint8."""
        return self.tabletop.render() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free the renderer."""
        self.tabletop.close()

    def save_state(self) -> np.ndarray:
        """Everything that decides the future of this episode except its goal. Shape (S,)."""
        return self.tabletop.state()

    def restore_state(self, state: np.ndarray) -> None:
        """Return to a saved state; the goal stays."""
        self.tabletop.restore(state)

    def expert_action(self) -> np.ndarray:
        """What the scripted expert does now. Shape (A,)."""
        action = self.task.expert(self.tabletop, self._goal)
        return action[: len(self.action_names)].astype(np.float32)

    def robot_state(self) -> np.ndarray:
        """Of the hand: x, y, z in metres, yaw in radians and gripper, 1 closed. Shape (5,)."""
        hand = self.tabletop
        return np.array([*hand.hand, hand.yaw, float(hand.closed)])

    def _info(self) -> dict[str, Any]:
        distance = float(np.linalg.norm(self.task.position(self.tabletop) - self._goal))
        return {"success": distance < SUCCESS, "distance": distance}


def reach(
    domain: Laboratory | str = "ash",
    size: Size = 64,
    render_mode: str | None = None,
    planar: bool = True,
    least: float = Reach.least,
) -> TabletopEnv:
    """Entry point of `worldmodel/TabletopReach-v0`; see `TabletopEnv` and `Reach`."""
    return TabletopEnv(Reach(least), domain, size, render_mode, planar)


def push(
    domain: Laboratory | str = "ash",
    size: Size = 64,
    render_mode: str | None = None,
    planar: bool = True,
    nearest: float = Push.nearest,
    furthest: float = Push.furthest,
    margin: float = Push.margin,
    start_spread_degrees: float = Push.start_spread_degrees,
) -> TabletopEnv:
    """Entry point of `worldmodel/TabletopPush-v0`; see `TabletopEnv` and `Push`."""
    task = Push(nearest, furthest, margin, start_spread_degrees)
    return TabletopEnv(task, domain, size, render_mode, planar)
