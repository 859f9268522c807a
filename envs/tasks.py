"""Gymnasium tasks on the tabletop with pictures as goals: reach a place, push the object to one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import gymnasium as gym
import numpy as np

from worldmodel.envs.expert import clear_distance, contact_distance, push_action, reach_action
from worldmodel.envs.laboratory import Laboratory, find_laboratory
from worldmodel.envs.scene import REACH
from worldmodel.envs.tabletop import ACTION_NAMES, CONTROL_PERIOD, HIGHEST, LOWEST, Scene, Tabletop
from worldmodel.errors import InputError

SUCCESS = 0.03
"""A goal is reached within this distance, in metres."""


@final
@dataclass(frozen=True)
class Trial:
    """Where an episode starts and where it should end."""

    start: Scene
    goal: Scene


class Task(ABC):
    """What should be achieved on the tabletop."""

    @abstractmethod
    def sample(self, tabletop: Tabletop, planar: bool, random: np.random.Generator) -> Trial:
        """Draw a solvable trial whose goal is not met at the start."""

    @abstractmethod
    def position(self, tabletop: Tabletop) -> np.ndarray:
        """What is to be brought to the goal, in metres. Shape (3,)."""

    @abstractmethod
    def expert(self, tabletop: Tabletop, goal: np.ndarray) -> np.ndarray:
        """The scripted expert's action towards a goal position. Shape (5,)."""


@final
@dataclass(frozen=True)
class Reach(Task):
    """Bring the hand to a place.

    Attributes:
        least: Smallest distance from start to goal, in metres.
    """

    least: float = 0.06

    def sample(self, tabletop: Tabletop, planar: bool, random: np.random.Generator) -> Trial:
        """See `Task.sample`; start, goal and object lie anywhere on the table."""
        low, high = LOWEST[:3].copy(), HIGHEST[:3].copy()
        if planar:
            high[2] = low[2]
        clear = clear_distance(tabletop)
        while True:
            start, goal = random.uniform(low, high, (2, 3))
            place = random.uniform(-REACH, REACH, 2)
            if math.dist(start, goal) >= self.least and all(
                math.dist(hand[:2], place) > clear for hand in (start, goal)
            ):
                break
        block = (*place, random.uniform(-math.pi, math.pi))
        return Trial(Scene((*start, 0.0), block), Scene((*goal, 0.0), block))

    def position(self, tabletop: Tabletop) -> np.ndarray:
        """See `Task.position`."""
        return tabletop.hand

    def expert(self, tabletop: Tabletop, goal: np.ndarray) -> np.ndarray:
        """See `Task.expert`."""
        return reach_action(tabletop, goal)


@final
@dataclass(frozen=True)
class Push(Task):
    """Bring the object to a place.

    Attributes:
        nearest: Smallest distance from object to goal, in metres.
        furthest: Largest distance from object to goal, in metres.
        margin: Start and goal of the object lie this far inside the hand's reach, in metres.
        start_spread_degrees: The hand starts within this angle of the side from which a straight
            push leads to the goal; 180 is anywhere around the object.
    """

    nearest: float = 0.06
    furthest: float = 0.12
    margin: float = 0.06
    start_spread_degrees: float = 60.0

    def sample(self, tabletop: Tabletop, planar: bool, random: np.random.Generator) -> Trial:
        """See `Task.sample`; the hand starts up to 10 cm from the object without touching it."""
        edge = REACH - self.margin
        clear = clear_distance(tabletop) + 0.003
        spread = math.radians(self.start_spread_degrees)
        while True:
            place = random.uniform(-edge, edge, 2)
            bearing = random.uniform(-math.pi, math.pi)
            goal = place + random.uniform(self.nearest, self.furthest) * _unit(bearing)
            side = bearing + math.pi + random.uniform(-spread, spread)
            hand = place + random.uniform(clear, 0.10) * _unit(side)
            if np.abs(goal).max() <= edge and np.abs(hand).max() <= REACH:
                break
        yaw = random.uniform(-math.pi, math.pi)
        height = LOWEST[2] if planar else random.uniform(LOWEST[2], HIGHEST[2])
        behind = goal - contact_distance(tabletop, bearing, yaw) * _unit(bearing)
        return Trial(
            Scene((*hand, height, 0.0), (*place, yaw)),
            Scene((*behind, LOWEST[2], 0.0), (*goal, yaw)),
        )

    def position(self, tabletop: Tabletop) -> np.ndarray:
        """See `Task.position`."""
        return tabletop.object

    def expert(self, tabletop: Tabletop, goal: np.ndarray) -> np.ndarray:
        """See `Task.expert`."""
        return push_action(tabletop, goal)


def _unit(angle: float) -> np.ndarray:
    return np.array([math.cos(angle), math.sin(angle)])


@final
class TabletopTask(gym.Env[np.ndarray, np.ndarray]):
    """A task in a laboratory, seen through its camera.

    Observations are pictures, the reward is minus the distance to the goal in metres, and `info`
    holds `success`, `distance` in metres and `goal_image`. Episodes end by truncation only.

    Attributes:
        goal_image: The picture in which the task is done. Shape (H, W, 3), uint8.
        action_names: One name per action component.
        tabletop: The simulation.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  as Gymnasium declares it
        "render_modes": ["rgb_array"],
        "render_fps": round(1 / CONTROL_PERIOD),
    }

    def __init__(
        self,
        task: Task,
        laboratory: Laboratory | str = "ash",
        planar: bool = True,
        image_size: int = 64,
        render_mode: str | None = None,
    ) -> None:
        """Build the laboratory.

        Args:
            task: What should be achieved.
            laboratory: One of `LABORATORIES` by name, or any other.
            planar: Actions are dx, dy with the gripper closed just above the table; otherwise dx,
                dy, dz, dyaw, gripper.
            image_size: Height and width of pictures, in pixels.
            render_mode: None or `rgb_array`.

        Raises:
            InputError: There is no such laboratory or render mode.
        """
        if render_mode not in (None, "rgb_array"):
            raise InputError(f"render_mode: expected 'rgb_array' or None, got {render_mode!r}")
        if isinstance(laboratory, str):
            laboratory = find_laboratory(laboratory)
        self.render_mode = render_mode
        self.task = task
        self.tabletop = Tabletop(laboratory, image_size)
        self.action_names = ACTION_NAMES[:2] if planar else ACTION_NAMES
        self._planar = planar
        self._goal = np.zeros(3)
        shape = (image_size, image_size, 3)
        self.goal_image = np.zeros(shape, np.uint8)
        self.observation_space = gym.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (len(self.action_names),), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw a trial: render its goal, then return to its start."""
        super().reset(seed=seed)
        trial = self.task.sample(self.tabletop, self._planar, self.np_random)
        self.tabletop.reset(trial.goal)
        self.goal_image = self.tabletop.render()
        self._goal = self.task.position(self.tabletop)
        self.tabletop.reset(trial.start)
        return self.tabletop.render(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Take one control step; action shape (A,) in [-1, 1]."""
        self.tabletop.control(action)
        info = self._info()
        return self.tabletop.render(), -info["distance"], False, False, info

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

    def _info(self) -> dict[str, Any]:
        distance = float(np.linalg.norm(self.task.position(self.tabletop) - self._goal))
        return {
            "success": distance < SUCCESS,
            "distance": distance,
            "goal_image": self.goal_image.copy(),
        }


reach = partial(TabletopTask, task=Reach())
"""Entry point of `worldmodel/TabletopReach-v0`."""

push = partial(TabletopTask, task=Push())
"""Entry point of `worldmodel/TabletopPush-v0`."""
