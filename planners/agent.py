"""Model-predictive control from pixels: imagine, act, look, and plan again."""

from __future__ import annotations

from typing import Protocol, final

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.model import State, WorldModel
from worldmodel.planners.costs import Cost
from worldmodel.planners.objective import ImaginedObjective
from worldmodel.planners.planner import Bounds, Objective, Plan, Planner
from worldmodel.rollout import advance, begin, imagine


class Foresight(Protocol):
    """What tells the future of actions: a learned model, or a simulator.

    Frames have values in [0, 1] and shape (E, C, H, W).
    """

    def reset(self, frame: Tensor) -> None:
        """Start from a first frame."""
        ...

    def observe(self, action: Tensor, frame: Tensor) -> None:
        """Take in that an action (E, A) really led to a frame."""
        ...

    def objective(self, cost: Cost) -> Objective:
        """Cost of action sequences from the present."""
        ...

    def imagine(self, actions: Tensor) -> Tensor:
        """Frames that actions (E, T, A) lead to, in [0, 1]. Shape (E, T, C, H, W)."""
        ...


@final
class ModelForesight:
    """A world model that keeps its state between plans: each frame is encoded once.

    Args:
        model: The world model; put into evaluation mode.
        at_once: Candidates imagined side by side; all if None.
        bfloat16: Imagine in bfloat16 autocast.
    """

    def __init__(
        self, model: WorldModel, at_once: int | None = None, bfloat16: bool = False
    ) -> None:
        self._model = model.eval()
        self._at_once, self._bfloat16 = at_once, bfloat16
        self._state: State | None = None

    def reset(self, frame: Tensor) -> None:
        """See `Foresight.reset`."""
        self._state = begin(self._model, frame.to(self._model.device))

    @torch.inference_mode()
    def observe(self, action: Tensor, frame: Tensor) -> None:
        """See `Foresight.observe`."""
        device = self._model.device
        self._state = advance(self._model, self._now(), action.to(device), frame.to(device))

    def objective(self, cost: Cost) -> Objective:
        """See `Foresight.objective`."""
        return ImaginedObjective(self._model, self._now(), cost, self._at_once, self._bfloat16)

    @torch.inference_mode()
    def imagine(self, actions: Tensor) -> Tensor:
        """See `Foresight.imagine`."""
        frames = imagine(self._model, self._now(), actions.to(self._model.device))
        return frames.clamp(0.0, 1.0).to(actions.device)

    def _now(self) -> State:
        if self._state is None:
            raise InputError("foresight: expected `reset` with a first frame before anything else")
        return self._state


@final
class VisualMPC:
    """Acts by planning in foresight, again after every few actions.

    Args:
        foresight: Tells the future of actions.
        planner: Searches for the actions of least cost.
        bounds: Limits of the actions.
        replan_every: Actions executed of each plan, 1 to the planner's horizon.
        seconds: Time after which a search stops; None for no limit.

    Raises:
        InputError: `replan_every` is out of range.
    """

    def __init__(
        self,
        foresight: Foresight,
        planner: Planner,
        bounds: Bounds,
        replan_every: int = 1,
        seconds: float | None = None,
    ) -> None:
        if not 1 <= replan_every <= planner.horizon:
            raise InputError(
                f"replan_every: expected 1 to {planner.horizon} actions of the horizon, "
                f"got {replan_every}"
            )
        self._foresight, self._planner, self._bounds = foresight, planner, bounds
        self._replan_every, self._seconds = replan_every, seconds
        self._aim: tuple[Cost, torch.Generator] | None = None
        self._plan: Plan | None = None
        self._executed = 0

    @property
    def plan(self) -> Plan:
        """The latest plan, from the frame at which it was made.

        Raises:
            InputError: There is none before the first action.
        """
        if self._plan is None:
            raise InputError("agent: expected `act` before there is a plan")
        return self._plan

    def reset(self, cost: Cost, generator: torch.Generator) -> None:
        """Begin an episode: what to minimise, and the source of the planner's randomness."""
        self._plan, self._aim, self._executed = None, (cost, generator), 0

    def act(self, frame: Tensor) -> Tensor:
        """The next actions, within the bounds; they must be executed before the next call.

        Args:
            frame: Seen now, values in [0, 1]. Shape (E, C, H, W).

        Returns:
            Actions in the units of the model. Shape (E, A).

        Raises:
            InputError: There was no `reset`, or the frame does not fit the model.
        """
        if self._aim is None:
            raise InputError("agent: expected `reset` with a cost before `act`")
        if self._plan is None:
            self._foresight.reset(frame)
        else:
            self._foresight.observe(self._plan.actions[:, self._executed - 1], frame)
        if self._plan is None or self._executed == self._replan_every:
            self._plan = self._replan(*self._aim, environments=len(frame))
            self._executed = 0
        self._executed += 1
        return self._plan.actions[:, self._executed - 1]

    def foreseen(self) -> Tensor:
        """Frames that the latest action and the rest of its plan should lead to, in [0, 1].

        Shape (E, T', C, H, W); ask between `act` and the execution of its action.

        Raises:
            InputError: There is no plan yet.
        """
        return self._foresight.imagine(self.plan.actions[:, self._executed - 1 :])

    def _replan(self, cost: Cost, generator: torch.Generator, environments: int) -> Plan:
        return self._planner.plan(
            self._foresight.objective(cost),
            self._bounds,
            generator,
            environments=environments,
            previous=self._plan.shifted(self._executed) if self._plan else None,
            seconds=self._seconds,
        )
