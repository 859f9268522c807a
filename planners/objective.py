"""What a planner minimises: foresight, a cost of what it shows, and which steps count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import LAST_STEP, Cost, Schedule
from worldmodel.planners.foresight import Foresight
from worldmodel.planners.search import Objective


@final
@dataclass(frozen=True)
class Limit:
    """An imagined quantity that must stay below a value at every step.

    Attributes:
        quantity: Of an imagined step.
        at_most: Its largest value.
    """

    quantity: Cost
    at_most: float


def objective(
    foresight: Foresight,
    cost: Cost,
    schedule: Schedule = LAST_STEP,
    at_once: int | None = None,
    limits: Sequence[Limit] = (),
) -> Objective:
    """Costs (E, N) of candidate actions (E, N, T, A) from the present.

    No candidate's video is kept: each step's cost is added up as it is imagined. Gradients flow
    to the actions where the foresight and the cost let them.

    Args:
        foresight: Tells the future of actions.
        cost: Of one imagined step.
        schedule: Which steps count how much; the last alone if left out.
        at_once: Candidates per environment imagined side by side; fewer need less memory. All if
            None.
        limits: With any, a `LimitedObjective` comes out.

    Raises:
        InputError: When called with actions that do not fit the foresight, or if the cost is not
            one number per future.
    """
    if at_once is not None and at_once < 1:
        raise InputError(f"at_once: expected at least 1 candidate, got {at_once}")
    plain = _ImaginedCosts(foresight, schedule * cost, at_once)
    return _LimitedCosts(plain, tuple(limits)) if limits else plain


class _ImaginedCosts:
    def __init__(self, foresight: Foresight, cost: Cost, at_once: int | None) -> None:
        self._foresight, self._cost, self._at_once = foresight, cost, at_once

    def __call__(self, actions: Tensor) -> Tensor:
        return self.with_excess(actions, ())[0]

    def with_excess(self, actions: Tensor, limits: tuple[Limit, ...]) -> tuple[Tensor, Tensor]:
        distinct, places = _distinct(actions)
        parts = distinct.split(self._at_once or distinct.shape[1], dim=1)
        costs, excess = zip(*(self._imagined(part, limits) for part in parts), strict=True)
        return torch.cat(costs, dim=1)[:, places], torch.cat(excess, dim=1)[:, places]

    def _imagined(self, actions: Tensor, limits: tuple[Limit, ...]) -> tuple[Tensor, Tensor]:
        futures = actions.shape[:2]
        total = actions.new_zeros(futures.numel())
        excess = actions.new_full((futures.numel(), len(limits)), -torch.inf)
        for imagined in self._foresight.imagine(actions):
            device = imagined.action.device
            total = total.to(device) + _checked(self._cost(imagined), imagined)
            if limits:
                excess = excess.to(device).maximum(_excess(limits, imagined))
        return tuple(  # pyright: ignore[reportReturnType]
            values.unflatten(0, futures).to(actions.device) for values in (total, excess)
        )


def _distinct(actions: Tensor) -> tuple[Tensor, Tensor]:
    """Candidates (E, M, T, A) without repetition, and the place among them of each of the N.

    All keep their order, and are all kept where each needs a gradient of its own.
    """
    everyone = torch.arange(actions.shape[1], device=actions.device)
    if actions.requires_grad:
        return actions, everyone
    sequences = actions.transpose(0, 1).flatten(1)
    groups, group = torch.unique(sequences, dim=0, return_inverse=True)
    first = everyone.new_full((len(groups),), len(everyone))
    first = first.scatter_reduce(0, group, everyone, "amin").sort()
    places = first.indices.argsort()[group]
    return actions[:, first.values], places


@final
class _LimitedCosts:
    def __init__(self, plain: _ImaginedCosts, limits: tuple[Limit, ...]) -> None:
        self._plain, self._limits = plain, limits

    def __call__(self, actions: Tensor) -> Tensor:
        return self._plain(actions)

    def with_excess(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        return self._plain.with_excess(actions, self._limits)


def _excess(limits: Sequence[Limit], imagined: Imagined) -> Tensor:
    """By how much each limit is exceeded at this step. Shape (B, L)."""
    values = [_checked(limit.quantity(imagined), imagined) - limit.at_most for limit in limits]
    return torch.stack(values, dim=1)


def _checked(costs: Tensor, imagined: Imagined) -> Tensor:
    expected = imagined.action.shape[:1]
    if not isinstance(costs, Tensor) or costs.shape != expected:
        came = f"shape {tuple(costs.shape)}" if isinstance(costs, Tensor) else repr(costs)
        raise InputError(f"cost: expected a tensor of shape (B,) = {tuple(expected)}, got {came}")
    return costs
