"""What every planner is: an objective in, a plan out; it knows neither pixels nor models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from worldmodel.errors import InputError

Objective = Callable[[Tensor], Tensor]
"""From candidate action sequences (E, N, T, A) to their costs (E, N); lower is better."""


@final
@dataclass(frozen=True)
class Bounds:
    """Limits of an action, in the units of the actions.

    Attributes:
        low: Smallest values. Shape (A,).
        high: Largest values, each above its smallest. Shape (A,).

    Raises:
        InputError: The two are not vectors of one length, are not finite, or touch or cross.
    """

    low: Tensor
    high: Tensor

    def __post_init__(self) -> None:
        if self.low.ndim != 1 or self.low.shape != self.high.shape or not len(self.low):
            raise InputError(
                "bounds: expected low and high of shape (A,), "
                f"got {tuple(self.low.shape)} and {tuple(self.high.shape)}"
            )
        if not torch.isfinite(self.high - self.low).all() or (self.low >= self.high).any():
            raise InputError(
                "bounds: expected finite low < high in every dimension, "
                f"got {self.low.tolist()} and {self.high.tolist()}"
            )

    @classmethod
    def of(cls, space: gym.Space[Any]) -> Bounds:
        """The limits of an environment's actions.

        Raises:
            InputError: They are no vectors with finite limits.
        """
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
            raise InputError(f"bounds: expected actions in a Box of shape (A,), got {space}")
        low, high = (
            torch.from_numpy(limit.astype(np.float32)) for limit in (space.low, space.high)
        )
        return cls(low, high)

    @property
    def middle(self) -> Tensor:
        """Centre. Shape (A,)."""
        return (self.low + self.high) / 2

    @property
    def half_range(self) -> Tensor:
        """Distance from the centre to a limit. Shape (A,)."""
        return (self.high - self.low) / 2

    def clamp(self, actions: Tensor) -> Tensor:
        """The nearest actions (..., A) within the limits."""
        return actions.clamp(self.low, self.high)


@final
@dataclass(frozen=True)
class Plan:
    """What a planner found, for each of E environments.

    Attributes:
        actions: The best sequence that was evaluated. Shape (E, T, A).
        cost: Its cost; NaN if the planner evaluates nothing. Shape (E,).
        evaluations: Candidates evaluated per environment; each costs T steps of the model.
        seconds: Wall-clock time that planning took.
    """

    actions: Tensor
    cost: Tensor
    evaluations: int
    seconds: float

    def shifted(self, steps: int) -> Plan:
        """The plan after its first actions were executed; the end is filled with 0, no motion.

        So a plan that reaches its goal stays there, and is carried out instead of put off. Cost,
        evaluations and seconds are still those of the search.

        Raises:
            InputError: `steps` is negative.
        """
        if steps < 0:
            raise InputError(f"steps: expected at least 0, got {steps}")
        end = min(steps, self.actions.shape[1])
        return replace(self, actions=pad(self.actions[:, steps:], (0, 0, 0, end)))


class PlannerConfig(ABC):
    """Options of one planner; a frozen dataclass next to it."""

    @abstractmethod
    def build(self) -> Planner:
        """The planner."""


class Planner(ABC):
    """Searches for the action sequence of least cost."""

    @property
    @abstractmethod
    def horizon(self) -> int:
        """Steps T of a plan."""

    @abstractmethod
    def plan(
        self,
        objective: Objective,
        bounds: Bounds,
        generator: torch.Generator,
        *,
        environments: int = 1,
        previous: Plan | None = None,
        seconds: float | None = None,
    ) -> Plan:
        """Search once.

        Args:
            objective: What to minimise.
            bounds: Limits that every candidate keeps.
            generator: Source of all randomness.
            environments: Number of environments E to plan for side by side.
            previous: Where to start from, already shifted to the present.
            seconds: Stop after the iteration in which this time ran out; None for no limit.

        Raises:
            InputError: The objective returns another shape or NaN, or `previous` does not fit.
        """
