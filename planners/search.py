"""One search in progress: candidates in, their costs out, within the time that there is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.planners.space import ActionSpace

Objective = Callable[[Tensor], Tensor]
"""From candidate action sequences (E, N, T, A) to their costs (E, N); lower is better."""

_SHARE = 0.5
"""Share of the remaining time that is planned for at once: a guess that fails costs little."""

_RESERVE = 0.05
"""Share of the time given that is kept for what is not evaluation."""


@runtime_checkable
class LimitedObjective(Protocol):
    """An objective with limits that a plan must not exceed."""

    def __call__(self, actions: Tensor) -> Tensor:
        """See `Objective`."""
        ...

    def with_excess(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Costs (E, N), and by how much each of L limits is exceeded, (E, N, L); 0 or less is kept.

        The unit of an excess is its own.
        """
        ...


@dataclass(frozen=True)
class _Values:
    """What was found out about candidates (E, N); what was not seen costs infinity."""

    costs: Tensor
    excess: Tensor


@final
class Search:
    """Evaluates candidates against the clock and remembers the best.

    Costs that are not finite are counted and become infinity, as do those of candidates for which
    there was no time.

    Args:
        objective: What to minimise.
        space: What actions there are.
        generator: Source of all randomness.
        shape: (E, T, A) of the plan.
        start: Where to start from; None at first. Shape (E, T, A).
        others: More such sequences, best first; None at first. Shape (E, K, T, A).
        seconds: Time from now; None for no limit.

    Attributes:
        objective: As given.
        space: As given.
        generator: As given.
        shape: As given.
        start: As given.
        others: As given, of K = 0 if there are none.
        best_cost: Cost of the best candidate so far, NaN before the first. Shape (E,).
        evaluations: Candidates evaluated so far, per environment.
        dropped: Costs so far that were not finite, of all environments.
    """

    def __init__(
        self,
        objective: Objective,
        space: ActionSpace,
        generator: torch.Generator,
        shape: tuple[int, int, int],
        start: Tensor | None = None,
        others: Tensor | None = None,
        seconds: float | None = None,
    ) -> None:
        self._begun = time.perf_counter()
        self._seconds = math.inf if seconds is None else seconds
        self.objective, self.space, self.generator = objective, space, generator
        self.shape, self.start = shape, start
        here = space.rest(shape[:2])
        self.others = here.new_empty(shape[0], 0, *shape[1:]) if others is None else others
        self.evaluations = self.dropped = 0
        self.best_cost = here.new_full(shape[:1], torch.nan)
        self._violation = here.new_full(shape[:1], torch.inf)
        self._best = here
        self._pace: float | None = None
        self._limits = 0

    @property
    def best(self) -> Tensor:
        """The best candidate so far: of those that keep the limits best, that of least cost.

        Shape (E, T, A).
        """
        return self._best

    @property
    def elapsed(self) -> float:
        """Seconds since the search began."""
        return time.perf_counter() - self._begun

    @property
    def over(self) -> bool:
        """Whether there is no time for one more candidate."""
        return self._affordable(1) == 0

    def costs(self, actions: Tensor) -> Tensor:
        """Costs (E, N) of candidates (E, N, T, A).

        Raises:
            InputError: The objective returns another shape, or has found no finite cost for an
                environment yet.
        """
        return self._in_parts(self._plainly, actions).costs

    def costs_and_excess(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Costs (E, N) of candidates (E, N, T, A), and how far they exceed each limit, (E, N, L).

        L is 0 for an objective without limits.

        Raises:
            InputError: See `costs`.
        """
        limited = isinstance(self.objective, LimitedObjective)
        values = self._in_parts(self._limited if limited else self._plainly, actions)
        return values.costs, values.excess

    def costs_and_gradients(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Costs (E, N) of candidates (E, N, T, A), and their gradients (E, N, T, A).

        A gradient is 0 where it, or the cost, is not finite.

        Raises:
            InputError: See `costs`; or no gradient flows from the costs to the actions.
        """
        gradients = torch.zeros_like(actions)
        done = 0

        def descending(part: Tensor) -> _Values:
            nonlocal done
            values, gradient = self._differentiated(part)
            gradients[:, done : done + part.shape[1]] = gradient
            done += part.shape[1]
            return values

        return self._in_parts(descending, actions).costs, gradients

    def _in_parts(self, evaluate: Callable[[Tensor], _Values], actions: Tensor) -> _Values:
        """Evaluate as many candidates as there is time for; the others cost infinity."""
        parts: list[_Values] = []
        done = 0
        while size := self._affordable(actions.shape[1] - done):
            part = actions[:, done : done + size]
            begun = time.perf_counter()
            parts.append(self._taken(part, evaluate(part)))
            self._pace = (time.perf_counter() - begun) / size
            self._limits = parts[0].excess.shape[2]
            done += size
        if parts and not torch.isfinite(self.best_cost).all():
            self._refuse()
        parts.append(_unseen(actions[:, done:], self._limits))
        costs, excess = ([getattr(part, name) for part in parts] for name in ("costs", "excess"))
        return _Values(torch.cat(costs, dim=1), torch.cat(excess, dim=1))

    def _affordable(self, wanted: int) -> int:
        """How many candidates there is time for: one if that is unknown, or just one more."""
        if self._seconds == math.inf or not wanted:
            return wanted
        if self._pace is None:
            return 1
        left = (1 - _RESERVE) * self._seconds - self.elapsed
        if self._pace > left:
            return 0
        return max(1, min(wanted, int(_SHARE * left / max(self._pace, 1e-9))))

    def _taken(self, actions: Tensor, values: _Values) -> _Values:
        """Count, drop what is not finite, and remember the best."""
        finite = torch.isfinite(values.costs) & torch.isfinite(values.excess).all(-1)
        self.evaluations += actions.shape[1]
        self.dropped += int((~finite).sum())
        values = _Values(values.costs.masked_fill(~finite, torch.inf), values.excess)
        violation = values.excess.clamp(min=0).sum(-1).masked_fill(~finite, torch.inf)
        least = violation.amin(1, keepdim=True)
        cost, index = values.costs.masked_fill(violation > least, torch.inf).min(1)
        better = (least[:, 0] < self._violation) | (
            (least[:, 0] == self._violation) & ~(cost >= self.best_cost)
        )
        found = actions.take_along_dim(index[:, None, None, None], 1)[:, 0]
        self._best = torch.where(better[:, None, None], found, self._best)
        self.best_cost = torch.where(better, cost, self.best_cost)
        self._violation = torch.where(better, least[:, 0], self._violation)
        return values

    def _refuse(self) -> None:
        lost = (~torch.isfinite(self.best_cost)).nonzero()[:, 0].tolist()
        raise InputError(
            f"objective: expected finite costs, none of {self.evaluations} candidates has one "
            f"in environment {', '.join(map(str, lost))}"
        )

    @torch.inference_mode()
    def _plainly(self, actions: Tensor) -> _Values:
        costs = _checked(self.objective(actions), actions)
        return _Values(costs, costs.new_zeros(*costs.shape, 0))

    @torch.inference_mode()
    def _limited(self, actions: Tensor) -> _Values:
        assert isinstance(self.objective, LimitedObjective)
        costs, excess = self.objective.with_excess(actions)
        return _Values(_checked(costs, actions), excess.to(actions))

    @torch.inference_mode(mode=False)
    @torch.enable_grad()
    def _differentiated(self, actions: Tensor) -> tuple[_Values, Tensor]:
        actions = actions.detach().clone().requires_grad_()
        costs = _checked(self.objective(actions), actions)
        if not costs.requires_grad:
            raise InputError(
                "objective: expected one that lets gradients flow to the actions, got none; "
                "a simulator has none"
            )
        (gradient,) = torch.autograd.grad(costs.nan_to_num(0, 0, 0).sum(), actions)
        usable = torch.isfinite(gradient) & torch.isfinite(costs)[..., None, None]
        values = _Values(costs.detach(), costs.new_zeros(*costs.shape, 0))
        return values, gradient.where(usable, 0.0)


def _checked(costs: Tensor, actions: Tensor) -> Tensor:
    """Costs in the type of the actions, one for each candidate."""
    if not isinstance(costs, Tensor) or costs.shape != actions.shape[:2]:
        came = tuple(costs.shape) if isinstance(costs, Tensor) else repr(costs)[:80]
        raise InputError(
            f"objective: expected costs of shape (E, N) = {tuple(actions.shape[:2])}, "
            f"as a tensor, got {came}"
        )
    return costs.to(actions)


def _unseen(actions: Tensor, limits: int) -> _Values:
    costs = actions.new_full(actions.shape[:2], torch.inf)
    return _Values(costs, actions.new_full((*costs.shape, limits), torch.inf))
