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

    def observe(self, action: Tensor | None, frame: Tensor) -> None:  # noqa: B027
        """Take in what is really seen; most costs need not.

        Args:
            action: What led to the frame; None for the first. Shape (E, A).
            frame: Values in [0, 1]. Shape (E, C, H, W).
        """

    def __add__(self, other: Cost) -> Cost:
        """The sum of two costs."""
        return _Sum(self, other)

    def __mul__(self, weight: float) -> Cost:
        """The cost times a weight of at least 0."""
        return weight * self

    def __rmul__(self, weight: float) -> Cost:
        """The cost times a weight of at least 0."""
        if not weight >= 0:
            raise InputError(f"cost: expected a weight of at least 0, got {weight}")
        return _Scheduled(Schedule(running=weight, last=weight), self)


@final
@dataclass(frozen=True)
class Scene:
    """What a cost is built for: E environments at the start of an episode.

    Attributes:
        goals: Pictures to pass through, in their order; the last is the goal. Values in [0, 1],
            shape (E, G, C, H, W).
        start: What is seen at the start, values in [0, 1]. Shape (E, C, H, W).
        models: What imagines; empty if a simulator does.

    Raises:
        InputError: The shapes do not fit each other.
    """

    goals: Tensor
    start: Tensor
    models: tuple[WorldModel, ...] = ()

    def __post_init__(self) -> None:
        environments, picture = self.start.shape[0], tuple(self.start.shape[1:])
        if self.goals.ndim != 5 or self.goals.shape[0] != environments or not self.goals.shape[1]:
            raise InputError(
                f"goals: expected shape (E, G, C, H, W) with E = {environments} like the start, "
                f"got {tuple(self.goals.shape)}"
            )
        if tuple(self.goals.shape[2:]) != picture:
            raise InputError(
                f"goal: expected a picture of (C, H, W) = {picture} like what is seen, "
                f"got {tuple(self.goals.shape[2:])}"
            )

    @property
    def goal(self) -> Tensor:
        """The last picture to reach. Shape (E, C, H, W)."""
        return self.goals[:, -1]

    def model(self, cost: str) -> WorldModel:
        """The model that imagines, the first of an ensemble, for a cost that needs one.

        Raises:
            InputError: A simulator imagines; names the cost.
        """
        if not self.models:
            raise InputError(f"cost {cost!r}: expected a learned model, got a simulator")
        return self.models[0]


class CostConfig(ABC):
    """Options of a cost; a frozen dataclass next to the cost."""

    @abstractmethod
    def build(self, scene: Scene) -> Cost:
        """The cost in a scene.

        Raises:
            InputError: The options do not fit the scene, or what imagines cannot serve the cost.
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

    def observe(self, action: Tensor | None, frame: Tensor) -> None:
        self._first.observe(action, frame)
        self._second.observe(action, frame)


@final
class _Scheduled(Cost):
    def __init__(self, schedule: Schedule, cost: Cost) -> None:
        self._schedule, self._cost = schedule, cost

    def __call__(self, imagined: Imagined) -> Tensor:
        weight = self._schedule.weight(imagined.t, imagined.horizon)
        if not weight:
            return imagined.action.new_zeros(len(imagined.action))
        return weight * self._cost(imagined)

    def observe(self, action: Tensor | None, frame: Tensor) -> None:
        self._cost.observe(action, frame)
