"""Model-predictive control from pixels: imagine, act, look, and plan again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, final, overload

import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.frames import as_frames
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import LAST_STEP, Cost, Schedule
from worldmodel.planners.foresight import Foresight
from worldmodel.planners.objective import objective
from worldmodel.planners.planner import Bounds, Plan, Planner


class Agent(Protocol):
    """Acts in an episode."""

    @property
    def imagined_steps(self) -> int:
        """Steps imagined or simulated for all candidates since `reset`, of one environment."""
        ...

    def reset(self, cost: Cost, generator: torch.Generator) -> None:
        """Begin an episode: what to minimise, and the source of all randomness."""
        ...

    def act(self, seen: Tensor) -> Tensor:
        """The next actions (E, A) after frames (E, C, H, W) in [0, 1]."""
        ...

    def foreseen(self) -> Iterator[Imagined]:
        """What the latest action and those planned after it should lead to; empty if unknown."""
        ...


@final
class VisualMPC:
    """Acts by planning in foresight, again after every few actions; an `Agent`.

    Args:
        foresight: Tells the future of actions.
        planner: Searches for the actions of least cost.
        bounds: Limits of the actions.
        replan_every: Actions executed of each plan, 1 to the planner's horizon.
        schedule: Which steps of a plan count how much.
        at_once: Candidates imagined side by side; all if None.
        seconds: Time after which a search stops; None for no limit.

    Raises:
        InputError: `replan_every` or `seconds` is out of range.
    """

    def __init__(
        self,
        foresight: Foresight,
        planner: Planner,
        bounds: Bounds,
        replan_every: int = 1,
        schedule: Schedule = LAST_STEP,
        at_once: int | None = None,
        seconds: float | None = None,
    ) -> None:
        if not 1 <= replan_every <= planner.horizon:
            raise InputError(
                f"replan_every: expected 1 to {planner.horizon} actions of the horizon, "
                f"got {replan_every}"
            )
        if seconds is not None and not seconds >= 0:
            raise InputError(f"seconds: expected at least 0, got {seconds}")
        self._foresight, self._planner, self._bounds = foresight, planner, bounds
        self._schedule, self._at_once, self._seconds = schedule, at_once, seconds
        self._replan_every = replan_every
        self._aim: tuple[Cost, torch.Generator] | None = None
        self._plan: Plan | None = None
        self._executed = self._imagined_steps = 0

    @property
    def plan(self) -> Plan:
        """The latest plan, from the frame at which it was made.

        Raises:
            InputError: There is none before the first action.
        """
        if self._plan is None:
            raise InputError("agent: there is no plan yet; call `act` first")
        return self._plan

    @property
    def imagined_steps(self) -> int:
        """See `Agent.imagined_steps`."""
        return self._imagined_steps

    def reset(self, cost: Cost, generator: torch.Generator | int = 0) -> None:
        """Begin an episode: what to minimise, and the source of randomness or its seed."""
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        self._plan, self._aim = None, (cost, generator)
        self._executed = self._imagined_steps = 0

    @overload
    def act(self, seen: Tensor) -> Tensor: ...
    @overload
    def act(self, seen: np.ndarray) -> np.ndarray: ...
    def act(self, seen: Tensor | np.ndarray) -> Tensor | np.ndarray:
        """The next actions, within the bounds; they must be executed before the next call.

        Args:
            seen: Frames, values in [0, 1], shape (E, C, H, W); or one picture, uint8 (H, W, C).

        Returns:
            Actions in the units of the model, shape (E, A); for a picture an array of shape (A,).

        Raises:
            InputError: There was no `reset`, or what is seen does not fit the model.
        """
        if isinstance(seen, np.ndarray):
            return self.act(as_frames(seen))[0].cpu().numpy()
        if self._aim is None:
            raise InputError("agent: call `reset` with a cost before `act`")
        frame = as_frames(seen)
        if self._plan is not None and len(frame) != len(self._plan.actions):
            raise InputError(
                f"agent: expected frames of {len(self._plan.actions)} environments as before, "
                f"got {len(frame)}"
            )
        if self._plan is None:
            self._foresight.reset(frame)
        else:
            self._foresight.observe(self._plan.actions[:, self._executed - 1], frame)
        if self._plan is None or self._executed == self._replan_every:
            self._plan = self._replan(*self._aim, environments=len(frame))
            self._executed = 0
        self._executed += 1
        return self._plan.actions[:, self._executed - 1]

    def foreseen(self) -> Iterator[Imagined]:
        """See `Agent.foreseen`; ask between `act` and the execution of its action.

        Raises:
            InputError: There is no plan yet.
        """
        return self._foresight.imagine(self.plan.actions[:, None, self._executed - 1 :])

    def _replan(self, cost: Cost, generator: torch.Generator, environments: int) -> Plan:
        plan = self._planner.plan(
            objective(self._foresight, cost, self._schedule, self._at_once),
            self._bounds,
            generator,
            environments=environments,
            previous=self._plan.shifted(self._executed) if self._plan else None,
            seconds=self._seconds,
        )
        self._imagined_steps += plan.evaluations * self._planner.horizon
        return plan
