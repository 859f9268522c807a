"""What every planner is: an objective in, a plan out; it knows neither pixels nor models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn.functional import pad

from worldmodel.errors import InputError
from worldmodel.planners.search import Objective, Search
from worldmodel.planners.space import ActionSpace, Bounds, Choices


@final
@dataclass(frozen=True)
class Plan:
    """What a planner found, for each of E environments.

    Attributes:
        actions: The best sequence that was evaluated. Shape (E, T, A).
        cost: Its cost; NaN if the planner evaluates nothing. Shape (E,).
        evaluations: Candidates evaluated per environment; each costs T steps of the model.
        dropped: Those of all environments whose cost was not finite.
        seconds: Wall-clock time that planning took.
        others: More sequences worth starting from, best first. Shape (E, K, T, A).
    """

    actions: Tensor
    cost: Tensor
    evaluations: int
    dropped: int
    seconds: float
    others: Tensor

    def shifted(self, steps: int) -> Plan:
        """The plan after its first actions were executed; the end is filled with 0, no motion.

        So a plan that reaches its goal stays there, and is carried out instead of put off. Cost,
        evaluations and seconds are still those of the search.

        Raises:
            InputError: `steps` is negative.
        """
        if not isinstance(steps, int) or steps < 0:
            raise InputError(f"steps: expected at least 0, got {steps}")
        return replace(self, actions=_rest(self.actions, steps), others=_rest(self.others, steps))


def _check_request(generator: object, environments: object, seconds: object) -> None:
    if not isinstance(generator, torch.Generator):
        raise InputError(f"generator: expected a torch.Generator, got {generator!r:.80}")
    if not isinstance(environments, int) or environments < 1:
        raise InputError(f"environments: expected at least 1, got {environments!r:.80}")
    if seconds is not None and not (isinstance(seconds, (int, float)) and seconds >= 0):
        raise InputError(f"seconds: expected at least 0, or None, got {seconds!r:.80}")


def _rest(sequences: Tensor, steps: int) -> Tensor:
    end = min(steps, sequences.shape[-2])
    return pad(sequences[..., steps:, :], (0, 0, 0, end))


class PlannerConfig(ABC):
    """Options of one planner; a frozen dataclass next to it."""

    @abstractmethod
    def build(self) -> Planner:
        """The planner."""

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            kind = type(self).__name__
            raise InputError(f"{kind}.{name}: expected {expected}, got {getattr(self, name)!r}")


class Planner(ABC):
    """Searches for the action sequence of least cost.

    Attributes:
        spaces: Kinds of actions that it can choose.
        needs_gradients: Whether the objective must let gradients flow to the actions.
        keeps_limits: Whether it heeds the limits of a `LimitedObjective`.
    """

    spaces: ClassVar[tuple[type, ...]] = (Bounds,)
    needs_gradients: ClassVar[bool] = False
    keeps_limits: ClassVar[bool] = False

    @property
    @abstractmethod
    def horizon(self) -> int:
        """Steps T of a plan."""

    @abstractmethod
    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """Look for better sequences until the search is over.

        Returns:
            The plan's actions, shape (E, T, A), and others worth starting from the next time,
            shape (E, K, T, A).
        """

    @final
    def check(self, space: ActionSpace) -> None:
        """Refuse actions that this planner cannot choose.

        Raises:
            InputError: Names the planner and the kind of actions.
        """
        if not isinstance(space, (Bounds, Choices)):
            raise InputError(
                f"{type(self).__name__}: expected Bounds or Choices, as `action_space_of` makes "
                f"them of an environment's action space, got {space!r:.80}"
            )
        if not isinstance(space, self.spaces):
            discrete = isinstance(space, Choices)
            expected, got = ("continuous", "discrete") if discrete else ("discrete", "continuous")
            raise InputError(
                f"{type(self).__name__}: expected {expected} actions, got {got} ones; "
                f"the planner {'categorical-cem' if discrete else 'cem'!r} takes them"
            )

    @final
    def plan(
        self,
        objective: Objective,
        space: ActionSpace,
        generator: torch.Generator,
        *,
        environments: int = 1,
        previous: Plan | None = None,
        seconds: float | None = None,
    ) -> Plan:
        """Search once.

        What is drawn is the same for every environment, so that each gets the plan that it would
        get alone.

        Args:
            objective: What to minimise.
            space: What actions there are; every candidate is made of them.
            generator: Source of all randomness.
            environments: Number of environments E to plan for side by side.
            previous: Where to start from, already shifted to the present.
            seconds: Time that the search may take; None for no limit. Candidates are evaluated
                one by one at first, and then as many at once as there is time for.

        Raises:
            InputError: The planner cannot choose such actions, the objective returns another
                shape or no finite cost for an environment, or `previous` does not fit.
        """
        self.check(space)
        _check_request(generator, environments, seconds)
        shape = (environments, self.horizon, space.width)
        if previous is not None and previous.actions.shape != shape:
            raise InputError(
                f"previous plan: expected actions of shape (E, T, A) = {shape}, "
                f"got {tuple(previous.actions.shape)}"
            )
        start = None if previous is None else space.nearest(previous.actions)
        others = None if previous is None else space.nearest(previous.others)
        search = Search(objective, space, generator, shape, start, others, seconds)
        actions, others = self.search(search)
        return Plan(
            actions=actions,
            cost=search.best_cost,
            evaluations=search.evaluations,
            dropped=search.dropped,
            seconds=search.elapsed,
            others=others,
        )
