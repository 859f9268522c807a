"""Model-predictive control from pixels: imagine, act, look, and plan again."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, final, overload

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.frames import as_frames
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import LAST_STEP, Cost, Scene, Schedule
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.foresight import Foresight
from worldmodel.planners.goals import Goal, as_goals
from worldmodel.planners.latency import Latency, Stopwatch, TimedForesight
from worldmodel.planners.memory import candidates_within
from worldmodel.planners.objective import Limit, objective
from worldmodel.planners.planner import Plan, Planner
from worldmodel.planners.space import ActionSpace, action_space_of
from worldmodel.planners.units import check_models


@final
@dataclass(frozen=True)
class Aim:
    """What an agent minimises, and what it must not exceed on the way."""

    cost: Cost
    limits: tuple[Limit, ...] = ()

    def observe(self, action: Tensor | None, frame: Tensor) -> None:
        """Tell all costs what is really seen, see `Cost.observe`."""
        for cost in (self.cost, *(limit.quantity for limit in self.limits)):
            cost.observe(action, frame)


def towards_goal_image(scene: Scene) -> Aim:
    """Towards the goal picture, as `GoalImage` measures it."""
    return Aim(GoalImage(scene.goal))


class Agent(Protocol):
    """Acts in an episode."""

    @property
    def imagined_steps(self) -> int:
        """Steps imagined or simulated for all candidates since `reset`, of one environment."""
        ...

    def check(self, goal: Tensor, seen: Tensor) -> None:
        """Refuse a goal or a first frame, both (E, C, H, W), that it could not act on.

        Raises:
            InputError: Says what was expected.
        """
        ...

    def reset(self, goal: Tensor, generator: torch.Generator) -> None:
        """Begin an episode: the picture to reach, (E, C, H, W), and the source of randomness."""
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

    Each frame is encoded once, and the model's recurrent state is kept from plan to plan. Where a
    frame is missing, damaged or late the agent goes on with its plan and takes what was foreseen
    for what is seen, for `blind_steps` in a row.

    Args:
        foresight: Tells the future of actions.
        planner: Searches for the actions of least cost.
        actions: What actions there are; also as an environment's `action_space`.
        replan_every: Actions executed of each plan, 1 to the planner's horizon.
        action_repeat: Times that each action is executed; the model sees every so many frames.
        schedule: Which steps of a plan count how much.
        at_once: Candidates imagined side by side; all if None.
        megabytes: Memory that candidates may take side by side; no limit if None.
        seconds: Time in which each `act` must plan; None for no limit.
        blind_steps: Frames in a row that may be missing.
        late_after: Age in seconds above which a frame counts as missing; None for no limit.
        aim: From a scene to what is minimised; the distance to the goal picture if left out.

    Raises:
        InputError: An option is out of range, or planner, actions and models do not fit each other.
    """

    def __init__(
        self,
        foresight: Foresight,
        planner: Planner,
        actions: ActionSpace | gym.Space[Any],
        *,
        replan_every: int = 1,
        action_repeat: int = 1,
        schedule: Schedule = LAST_STEP,
        at_once: int | None = None,
        megabytes: float | None = None,
        seconds: float | None = None,
        blind_steps: int = 3,
        late_after: float | None = None,
        aim: Callable[[Scene], Aim] = towards_goal_image,
    ) -> None:
        self._space = action_space_of(actions) if isinstance(actions, gym.Space) else actions
        planner.check(self._space)
        check_models(foresight.models, self._space)
        if planner.needs_gradients and not foresight.models:
            raise InputError(
                f"{type(planner).__name__}: expected a learned model, through which gradients "
                "flow, got a simulator; 'cem' needs none"
            )
        for name, count in [("replan_every", replan_every), ("action_repeat", action_repeat)]:
            _whole_number(name, count)
        _check_range("replan_every", replan_every, 1, planner.horizon)
        _check_range("action_repeat", action_repeat, 1)
        _check_range("blind_steps", blind_steps, 0)
        _check_range("seconds", seconds, 0)
        _check_range("late_after", late_after, 0)
        _check_range("at_once", at_once, 1)
        _check_range("megabytes", megabytes, 0)
        self._watch = Stopwatch()
        self._foresight, self._planner = TimedForesight(foresight, self._watch), planner
        self._schedule, self._at_once, self._seconds = schedule, at_once, seconds
        self._megabytes = megabytes
        self._replan_every, self._action_repeat = replan_every, action_repeat
        self._blind_steps, self._late_after, self._aim_at = blind_steps, late_after, aim
        self._episode: _Episode | None = None

    @property
    def plan(self) -> Plan:
        """The latest plan, from the frame at which it was made.

        Raises:
            InputError: There is none before the first action.
        """
        if self._episode is None or self._episode.plan is None:
            raise InputError("agent: there is no plan yet; call `act` first")
        return self._episode.plan

    @property
    def imagined_steps(self) -> int:
        """See `Agent.imagined_steps`."""
        return self._episode.imagined_steps if self._episode else 0

    def latency(self) -> Latency:
        """How long the latest calls of `act` took.

        Raises:
            InputError: There was none.
        """
        return self._watch.read()

    def check(self, goal: Tensor, seen: Tensor) -> None:
        """See `Agent.check`."""
        self._aimed(Scene(as_goals(goal), seen, self._foresight.models))

    def reset(self, goal: Goal | Cost, generator: torch.Generator | int = 0) -> None:
        """Begin an episode.

        Args:
            goal: The picture to reach, or several to pass through, see `Goal`; or what to minimise.
            generator: Source of all randomness, or its seed.

        Raises:
            InputError: The goal is no picture, or none as the model sees it.
        """
        if not isinstance(generator, torch.Generator):
            generator = torch.Generator().manual_seed(_whole_number("generator", generator))
        if isinstance(goal, Cost):
            self._episode = _Episode(goal, generator)
            return
        models = self._foresight.models
        goals = as_goals(goal, models[0].frame_shape[0] if models else 3)
        if models and tuple(goals.shape[2:]) != models[0].frame_shape:
            raise InputError(
                f"goal: expected a picture of (C, H, W) = {models[0].frame_shape} like the "
                f"model's frames, got {tuple(goals.shape[2:])}"
            )
        self._episode = _Episode(goals, generator)

    @overload
    def act(self, seen: Tensor, age: float = 0.0) -> Tensor: ...
    @overload
    def act(self, seen: np.ndarray, age: float = 0.0) -> np.ndarray: ...
    @overload
    def act(self, seen: None) -> Tensor | np.ndarray: ...
    def act(self, seen: Tensor | np.ndarray | None, age: float = 0.0) -> Tensor | np.ndarray:
        """The next actions, of those that there are; they must be executed before the next call.

        Args:
            seen: Frames, values in [0, 1], shape (E, C, H, W); or one picture, uint8 (H, W, C); or
                None if none came.
            age: Seconds since it was taken.

        Returns:
            Actions in the units of the model, shape (E, A); in an episode that began with a picture
            an array of shape (A,).

        Raises:
            InputError: There was no `reset`, the first frame does not fit, or more than
                `blind_steps` frames in a row were missing, damaged or late.
        """
        if self._episode is None:
            raise InputError("agent: call `reset` with a goal before `act`")
        with self._watch.action():
            action = self._act(self._episode, seen, age)
        return action[0].cpu().numpy() if self._episode.of_pictures else action

    def foreseen(self) -> Iterator[Imagined]:
        """See `Agent.foreseen`; ask between `act` and the execution of its action.

        Raises:
            InputError: There is no plan yet.
        """
        plan = self.plan
        assert self._episode is not None
        return self._foresight.imagine(plan.actions[:, None, self._episode.executed - 1 :])

    def _act(self, episode: _Episode, seen: Tensor | np.ndarray | None, age: float) -> Tensor:
        begun = time.perf_counter()
        if episode.plan is not None and episode.held < self._action_repeat:
            episode.held += 1
            return episode.action
        fault = self._fault(seen, age, episode)
        if episode.plan is None:
            if fault:
                raise InputError(f"agent: {fault}")
            assert seen is not None
            self._begin(episode, as_frames(seen), of_pictures=isinstance(seen, np.ndarray))
        else:
            self._look(episode, seen, fault)
        if episode.plan is None or (episode.executed >= self._replan_every and not episode.lost):
            self._replan(episode, begun)
        episode.executed, episode.held = episode.executed + 1, 1
        return episode.action

    def _fault(self, seen: Tensor | np.ndarray | None, age: float, episode: _Episode) -> str | None:
        """What is wrong with all that was seen, if anything is."""
        if seen is None:
            return "expected a frame, got none"
        if self._late_after is not None and not age <= self._late_after:
            return f"expected a frame of at most {self._late_after} s of age, got one of {age} s"
        try:
            frame = _readable(seen)
        except InputError as error:
            return str(error)
        expected = episode.shape or frame.shape[:1] + self._frame_shape(frame)
        if frame.shape != expected:
            return (
                f"expected frames of shape (E, C, H, W) = {tuple(expected)}, "
                f"got {tuple(frame.shape)}"
            )
        if episode.shape is None and not _whole(frame).all():
            return "expected a first frame with values in [0, 1], got others"
        return None

    def _frame_shape(self, frame: Tensor) -> torch.Size:
        models = self._foresight.models
        return torch.Size(models[0].frame_shape) if models else frame.shape[1:]

    def _begin(self, episode: _Episode, frame: Tensor, of_pictures: bool) -> None:
        episode.shape, episode.of_pictures = frame.shape, of_pictures
        if isinstance(episode.goal, Cost):
            episode.aim = Aim(episode.goal)
        else:
            goals = episode.goal
            if len(goals) == 1:
                goals = goals.expand(len(frame), *goals.shape[1:])
            episode.aim = self._aimed(Scene(goals, frame, self._foresight.models))
        episode.blind = torch.zeros(len(frame), dtype=torch.long)
        self._foresight.reset(frame)
        if self._megabytes is not None:
            rest = self._space.rest((len(frame),))
            fit = candidates_within(self._megabytes, self._foresight, rest)
            self._at_once = min(self._at_once or fit, fit)
        episode.aim.observe(None, frame)

    def _aimed(self, scene: Scene) -> Aim:
        aim = self._aim_at(scene)
        if aim.limits:
            check_keeps_limits(self._planner)
        return aim

    def _look(self, episode: _Episode, seen: Tensor | np.ndarray | None, fault: str | None) -> None:
        """Take in what is seen; for what is missing, what was foreseen."""
        action = episode.action
        if fault or seen is None:
            frame, missing = None, torch.ones_like(episode.blind, dtype=torch.bool)
        else:
            frame = _readable(seen)
            missing = ~_whole(frame).cpu()
        episode.blind = torch.where(missing, episode.blind + 1, 0)
        if (episode.blind > self._blind_steps).any():
            worst = int(episode.blind.argmax())
            raise InputError(
                f"agent: {int(episode.blind[worst])} frames in a row are missing in environment "
                f"{worst}, expected at most {self._blind_steps}; the last time "
                f"{fault or 'values were not in [0, 1]'}"
            )
        if missing.any():
            foreseen = next(self._foresight.imagine(action[:, None, None])).frame
            taken = missing.to(foreseen.device)[:, None, None, None]
            frame = (
                foreseen
                if frame is None
                else torch.where(taken, foreseen, frame.nan_to_num().to(foreseen))
            )
        assert frame is not None
        self._foresight.observe(action, frame)
        assert episode.aim is not None
        episode.aim.observe(action, frame)

    def _replan(self, episode: _Episode, begun: float) -> None:
        before = episode.plan.shifted(episode.executed) if episode.plan else None
        seconds = self._seconds
        if seconds is not None:
            seconds = max(0.0, seconds - (time.perf_counter() - begun))
        assert episode.aim is not None
        plan = self._planner.plan(
            objective(
                self._foresight,
                episode.aim.cost,
                self._schedule,
                self._at_once,
                episode.aim.limits,
            ),
            self._space,
            episode.generator,
            environments=len(episode.blind),
            previous=before,
            seconds=seconds,
        )
        if before is not None and episode.blind.any():
            followed = (episode.blind > 0).to(plan.actions.device)[:, None, None]
            actions = torch.where(followed, self._space.nearest(before.actions), plan.actions)
            plan = replace(plan, actions=actions)
        episode.plan, episode.executed = plan, 0
        episode.imagined_steps += plan.evaluations * self._planner.horizon


def check_keeps_limits(planner: Planner) -> None:
    """Refuse a planner that does not heed limits.

    Raises:
        InputError: Names it, and one that does.
    """
    if not planner.keeps_limits:
        raise InputError(
            f"limits: {type(planner).__name__} keeps none; the planner 'lagrangian' does"
        )


@final
class _Episode:
    """All that an agent knows of the present episode."""

    def __init__(self, goal: Tensor | Cost, generator: torch.Generator) -> None:
        self.goal, self.generator = goal, generator
        self.aim: Aim | None = None
        self.plan: Plan | None = None
        self.shape: torch.Size | None = None
        self.of_pictures = False
        self.blind = torch.zeros(0, dtype=torch.long)
        self.executed = self.held = self.imagined_steps = 0

    @property
    def lost(self) -> bool:
        """Whether no environment is seen now and the plan has actions left."""
        assert self.plan is not None
        return bool((self.blind > 0).all()) and self.executed < self.plan.actions.shape[1]

    @property
    def action(self) -> Tensor:
        """The latest one. Shape (E, A)."""
        assert self.plan is not None
        return self.plan.actions[:, self.executed - 1]


def _readable(seen: Tensor | np.ndarray) -> Tensor:
    """Frames (E, C, H, W), whatever their values.

    Raises:
        InputError: It is neither frames nor a picture.
    """
    if not isinstance(seen, Tensor) or seen.ndim != 4 or not seen.is_floating_point():
        return as_frames(seen)
    return seen.float()


def _whole(frames: Tensor) -> Tensor:
    """Which frames (E, C, H, W) have all values in [0, 1]. Shape (E,)."""
    return ((frames >= 0) & (frames <= 1)).flatten(1).all(1)


def _check_range(name: str, value: float | None, low: float, high: float | None = None) -> None:
    if value is None or (isinstance(value, (int, float)) and low <= value <= (high or math.inf)):
        return
    expected = f"at least {low}" if high is None else f"{low} to {high} actions of the horizon"
    raise InputError(f"{name}: expected {expected}, got {value!r}")


def _whole_number(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        raise InputError(f"{name}: expected a whole number, got {value!r:.80}") from error
