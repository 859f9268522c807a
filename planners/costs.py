"""Costs of imagined frames, added up step by step so that no candidate's video is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from torch import Tensor
from torch.nn.functional import avg_pool2d

from worldmodel.errors import InputError


class Cost(ABC):
    """What one imagined step costs; the cost of a sequence is the sum over its steps.

    Candidates are grouped by environment: the batch B = E * N holds environment 0's N candidates
    first. Costs add and scale: `GoalImage(goal) + 0.1 * ActionPenalty()`.
    """

    @abstractmethod
    def step(self, frame: Tensor, action: Tensor, t: int, horizon: int) -> Tensor:
        """Cost of step t, shape (B,).

        Args:
            frame: What the action led to, values in [0, 1]; anything where `sees` says no.
                Shape (B, C, H, W).
            action: Shape (B, A).
            t: Step, 0 to horizon-1.
            horizon: Steps T of the sequence.
        """

    @abstractmethod
    def sees(self, t: int, horizon: int) -> bool:
        """Whether the cost of step t depends on its frame, so that others need no picture."""

    def __add__(self, other: Cost) -> Cost:
        """The sum of two costs."""
        return _Sum(self, other)

    def __rmul__(self, weight: float) -> Cost:
        """The cost times a weight of at least 0."""
        return _Weighted(weight, self)


@final
class GoalImage(Cost):
    """Squared difference to a goal image, of pixels summed over windows of several sizes.

    At scale s the difference is summed over s x s windows, half a window apart, then squared.
    Something small that is out of place by more than s pixels costs about the same at every scale
    up to s, and less at larger ones: these point the way where a hand and its place in the goal do
    not overlap. Scale 1 is the summed squared error. The scales are added.

    Args:
        goal: Values in [0, 1]. Shape (E, C, H, W).
        scales: Sides s in pixels: 1, or even numbers whose half divides H and W.
        running: Weight of every step but the last, which weighs 1.

    Raises:
        InputError: A scale does not fit the image, there is none, or the weight is negative.
    """

    def __init__(
        self, goal: Tensor, scales: tuple[int, ...] = (4, 16, 32), running: float = 0.0
    ) -> None:
        if goal.ndim != 4:
            raise InputError(f"goal: expected shape (E, C, H, W), got {tuple(goal.shape)}")
        height, width = goal.shape[-2:]
        if not scales or not all(_fits(s, height, width) for s in scales):
            raise InputError(
                f"scales: expected 1 or even numbers whose half divides {height} x {width} pixels, "
                f"got {scales}"
            )
        if running < 0:
            raise InputError(f"running: expected a weight of at least 0, got {running}")
        self._goal, self._scales, self._running = goal, scales, running

    def sees(self, t: int, horizon: int) -> bool:
        """See `Cost.sees`."""
        return self._weight(t, horizon) > 0

    def step(self, frame: Tensor, action: Tensor, t: int, horizon: int) -> Tensor:
        """See `Cost.step`.

        Raises:
            InputError: The frame has another shape than the goal, or the batch is no multiple of E.
        """
        weight = self._weight(t, horizon)
        if not weight:
            return action.new_zeros(len(action))
        return weight * self.distance(frame)

    def distance(self, frame: Tensor) -> Tensor:
        """Difference of frames (B, C, H, W) to the goal, added over the scales. Shape (B,).

        Raises:
            InputError: The frame has another shape than the goal, or the batch is no multiple of E.
        """
        goal = self._goal.to(frame.device)
        if frame.shape[1:] != goal.shape[1:] or len(frame) % len(goal):
            raise InputError(
                f"frame: expected a multiple of {len(goal)} x {tuple(goal.shape[1:])} like the "
                f"goal, got {tuple(frame.shape)}"
            )
        difference = (frame.unflatten(0, (len(goal), -1)) - goal[:, None]).flatten(0, 1)
        total = frame.new_zeros(len(frame))
        for scale in self._scales:
            total += _summed(difference, scale).square().sum((1, 2, 3))
        return total

    def _weight(self, t: int, horizon: int) -> float:
        return 1.0 if t == horizon - 1 else self._running


def _fits(scale: int, height: int, width: int) -> bool:
    half, odd = divmod(scale, 2)
    return scale == 1 or (half > 0 and odd == height % half == width % half == 0)


def _summed(image: Tensor, scale: int) -> Tensor:
    """Sums over overlapping windows, halved: every pixel lies in four, whose squares are added."""
    if scale == 1:
        return image
    stride = scale // 2
    return avg_pool2d(image, scale, stride, padding=stride, divisor_override=2)


@final
class ActionPenalty(Cost):
    """Sum of the squared actions, against needless motion."""

    def sees(self, t: int, horizon: int) -> bool:
        """See `Cost.sees`."""
        return False

    def step(self, frame: Tensor, action: Tensor, t: int, horizon: int) -> Tensor:
        """See `Cost.step`."""
        return action.square().sum(-1)


@final
class _Sum(Cost):
    def __init__(self, first: Cost, second: Cost) -> None:
        self._terms = first, second

    def sees(self, t: int, horizon: int) -> bool:
        return any(term.sees(t, horizon) for term in self._terms)

    def step(self, frame: Tensor, action: Tensor, t: int, horizon: int) -> Tensor:
        first, second = (term.step(frame, action, t, horizon) for term in self._terms)
        return first + second


@final
class _Weighted(Cost):
    def __init__(self, weight: float, cost: Cost) -> None:
        if weight < 0:
            raise InputError(f"cost: expected a weight of at least 0, got {weight}")
        self._weight, self._cost = weight, cost

    def sees(self, t: int, horizon: int) -> bool:
        return self._weight > 0 and self._cost.sees(t, horizon)

    def step(self, frame: Tensor, action: Tensor, t: int, horizon: int) -> Tensor:
        return self._weight * self._cost.step(frame, action, t, horizon)
