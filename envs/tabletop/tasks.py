"""Goal rules on the tabletop: reach a place, push the object to one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from worldmodel.envs.tabletop.expert import (
    clear_distance,
    contact_distance,
    push_action,
    reach_action,
)
from worldmodel.envs.tabletop.scene import REACH
from worldmodel.envs.tabletop.simulation import HIGHEST, LOWEST, Arrangement, Tabletop
from worldmodel.errors import InputError

SUCCESS = 0.03
"""A goal is reached within this distance, in metres."""


@final
@dataclass(frozen=True)
class Trial:
    """Where an episode starts and where it should end."""

    start: Arrangement
    goal: Arrangement


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
        least: Smallest distance from start to goal, in metres; at most the hand's reach.
    """

    least: float = 0.06

    def __post_init__(self) -> None:
        _check_within(self, "least", 0.0, REACH)

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
        return Trial(Arrangement((*start, 0.0), block), Arrangement((*goal, 0.0), block))

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

    def __post_init__(self) -> None:
        _check_within(self, "nearest", SUCCESS, REACH)
        _check_within(self, "furthest", self.nearest, REACH)
        _check_within(self, "margin", 0.0, REACH / 2)
        _check_within(self, "start_spread_degrees", 0.0, 180.0)

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
            Arrangement((*hand, height, 0.0), (*place, yaw)),
            Arrangement((*behind, LOWEST[2], 0.0), (*goal, yaw)),
        )

    def position(self, tabletop: Tabletop) -> np.ndarray:
        """See `Task.position`."""
        return tabletop.object

    def expert(self, tabletop: Tabletop, goal: np.ndarray) -> np.ndarray:
        """See `Task.expert`."""
        return push_action(tabletop, goal)


def _unit(angle: float) -> np.ndarray:
    return np.array([math.cos(angle), math.sin(angle)])


def _check_within(task: Task, name: str, low: float, high: float) -> None:
    value = getattr(task, name)
    if not low <= value <= high:
        raise InputError(f"{name}: expected {low:g} to {high:g}, got {value:g}")
