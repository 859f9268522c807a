"""What an imagined step costs, and which steps count how much."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from torch import Tensor

from worldmodel.errors import InputError, check_at_least
from worldmodel.imagined import Imagined
from worldmodel.model import WorldModel


class Cost(ABC):
    """Cost of one imagined step; that of a sequence is the sum over its steps.

    It looks at whatever it needs of the step, and only that is made: a cost of the actions alone
    renders no picture. Costs add and scale: `GoalImage(goal) + 0.1 * ActionPenalty()`; a
    `Schedule` scales them step by step.
    """

    @abstractmethod
    def __call__(self, imagined: Imagined) -> Tensor:
        """Cost of each of the B futures at this step. Shape (B,).

        Raises:
            InputError: The cost does not fit what was imagined.
        """

    def __add__(self, other: Cost) -> Cost:
        """The sum of two costs."""
        return _Sum(self, other)

    def __mul__(self, weight: float) -> Cost:
        """The cost times a weight of at least 0."""
        return weight * self

    def __rmul__(self, weight: float) -> Cost:
        """The cost times a weight of at least 0."""
        if weight < 0:
            raise InputError(f"cost: expected a weight of at least 0, got {weight}")
        return _Scheduled(Schedule(running=weight, last=weight), self)


class CostConfig(ABC):
    """Options of a cost that compares with a goal picture; a frozen dataclass next to the cost."""

    @abstractmethod
    def build(self, goal: Tensor, model: WorldModel | None) -> Cost:
        """The cost of what differs from a goal.

        Args:
            goal: Values in [0, 1]. Shape (E, C, H, W).
            model: Whose latents are compared, for a cost that does that; None if none plays.

        Raises:
            InputError: The options do not fit the goal, or the cost needs a model.
        """


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class Schedule:
    """Which steps of a future count how much.

    Attributes:
        running: Weight of every step but the last.
        last: Weight of the last step.

    Raises:
        InputError: A weight is negative.
    """

    running: float = 0.0
    last: float = 1.0

    def __post_init__(self) -> None:
        check_at_least(0, self, "running", "last")

    def weight(self, t: int, horizon: int) -> float:
        """Weight of step t, 0 to horizon-1."""
        return self.last if t == horizon - 1 else self.running

    def __mul__(self, cost: Cost) -> Cost:
        """The cost, each step times its weight; where that is 0 nothing is looked at."""
        return _Scheduled(self, cost)


LAST_STEP = Schedule()
"""The last step alone counts."""

EVERY_STEP = Schedule(running=1.0)
"""All steps count the same."""


@final
class _Sum(Cost):
    def __init__(self, first: Cost, second: Cost) -> None:
        self._first, self._second = first, second

    def __call__(self, imagined: Imagined) -> Tensor:
        return self._first(imagined) + self._second(imagined)


@final
class _Scheduled(Cost):
    def __init__(self, schedule: Schedule, cost: Cost) -> None:
        self._schedule, self._cost = schedule, cost

    def __call__(self, imagined: Imagined) -> Tensor:
        weight = self._schedule.weight(imagined.t, imagined.horizon)
        if not weight:
            return imagined.action.new_zeros(len(imagined.action))
        return weight * self._cost(imagined)
