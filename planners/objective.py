"""What a planner minimises: foresight, a cost of what it shows, and which steps count."""

from __future__ import annotations

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import LAST_STEP, Cost, Schedule
from worldmodel.planners.foresight import Foresight
from worldmodel.planners.planner import Objective


def objective(
    foresight: Foresight, cost: Cost, schedule: Schedule = LAST_STEP, at_once: int | None = None
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

    Raises:
        InputError: When called with actions that do not fit the foresight, or if the cost is not
            one number per future.
    """
    if at_once is not None and at_once < 1:
        raise InputError(f"at_once: expected at least 1 candidate, got {at_once}")

    def costs(actions: Tensor) -> Tensor:
        parts = actions.split(at_once or actions.shape[1], dim=1)
        return torch.cat([_summed(foresight, schedule * cost, part) for part in parts], dim=1)

    return costs


def _summed(foresight: Foresight, cost: Cost, actions: Tensor) -> Tensor:
    futures = actions.shape[:2]
    total = actions.new_zeros(futures.numel())
    for imagined in foresight.imagine(actions):
        total = total.to(imagined.action.device) + _checked(cost(imagined), imagined)
    return total.unflatten(0, futures).to(actions.device)


def _checked(costs: Tensor, imagined: Imagined) -> Tensor:
    expected = imagined.action.shape[:1]
    if not isinstance(costs, Tensor) or costs.shape != expected:
        came = f"shape {tuple(costs.shape)}" if isinstance(costs, Tensor) else repr(costs)
        raise InputError(f"cost: expected a tensor of shape (B,) = {tuple(expected)}, got {came}")
    return costs
