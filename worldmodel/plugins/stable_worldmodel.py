"""stable-worldmodel: our planners as its solvers, and a world model as what its solvers minimise.

Nothing of stable-worldmodel is imported: it asks for methods, not for classes. Its `World` gives a
dictionary of what is known of E environments, with one step of time: `pixels` and `goal` of shape
(E, 1, H, W, C) as bytes, or (E, 1, C, H, W) in [0, 1] after a transform. A solver repeats each for
its S candidates, (E, S, 1, ...). What it calls an action block is several actions in a row, side by
side in one vector.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, final

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from worldmodel.errors import InputError
from worldmodel.model import WorldModel
from worldmodel.planners.cost import EVERY_STEP, Scene
from worldmodel.planners.objective import objective
from worldmodel.planners.planner import Plan, Planner, PlannerConfig
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.search import Objective
from worldmodel.planners.space import (
    ActionSpace,
    Bounds,
    Choices,
    action_space_of,
    check_floats,
)


class Costable(Protocol):
    """What their solvers minimise, and ours too."""

    def get_cost(self, info_dict: dict[str, Any], action_candidates: Tensor) -> Tensor:
        """Costs (E, S) of candidates (E, S, H, block * A)."""
        ...


class PlanningSteps(Protocol):
    """What is read of their `PlanConfig`."""

    @property
    def horizon(self) -> int:
        """Blocks H of a plan."""
        ...

    @property
    def action_block(self) -> int:
        """Actions in a block."""
        ...


class Callback(Protocol):
    """What is called of their callbacks; `history` is what it has seen."""

    history: list[Any]

    @property
    def output_key(self) -> str:
        """Under which its history is returned."""
        ...

    def reset(self) -> None:
        """Begin a solve."""
        ...

    def start_batch(self) -> None:
        """Begin a batch of environments."""
        ...

    def __call__(self, **state: Any) -> None:
        """Look at one evaluation."""
        ...

    def end_solve(self) -> None:
        """End a solve."""
        ...


@final
class CostModel:
    """A world model that tells what candidate actions cost: their `Costable`.

    Each call starts from the picture that it is given: what was seen before is not known to it.

    Args:
        model: The world model; put into evaluation mode.
        planning: Cost, schedule and how much is imagined at once; its planner plays no part.

    Raises:
        InputError: The planning has limits, of which a cost alone cannot tell.
    """

    def __init__(self, model: WorldModel, planning: PlanningConfig | None = None) -> None:
        self._model, self._planning = model.eval(), planning or PlanningConfig()
        if self._planning.limits:
            raise InputError(
                "limits: expected none, since stable-worldmodel minimises one cost and knows no "
                f"limits, got {', '.join(self._planning.limits)}; give `penalties` instead"
            )

    def get_cost(self, info_dict: MutableMapping[str, Any], action_candidates: Tensor) -> Tensor:
        """What candidates cost; gradients flow to them.

        Args:
            info_dict: `pixels` and `goal`, bytes or values in [0, 1], of shape (E, S, 1, H, W, C)
                or (E, S, 1, C, H, W). What is made of them is kept in it for the next call.
            action_candidates: Actions in the units of the model. Shape (E, S, H, block * A).

        Returns:
            Shape (E, S); lower is better.

        Raises:
            InputError: Something is missing or does not fit the model.
        """
        if _KEPT not in info_dict:
            info_dict[_KEPT] = self._objective(info_dict)
        return info_dict[_KEPT](self._single(action_candidates))

    criterion = get_cost

    @torch.inference_mode(mode=False)
    def _objective(self, info: Mapping[str, Any]) -> Objective:
        start, goal = (self._frames(info, name) for name in ("pixels", "goal"))
        foresight = self._planning.foresight(self._model)
        foresight.reset(start)
        cost = self._planning.aim(Scene(goal[:, None], start, foresight.models)).cost
        cost.observe(None, start)
        return objective(foresight, cost, EVERY_STEP, self._planning.at_once)

    def _frames(self, info: Mapping[str, Any], name: str) -> Tensor:
        """Frames (E, C, H, W) in [0, 1] of the model's size."""
        if name not in info:
            raise InputError(f"info: expected {name!r}, got {', '.join(map(repr, info))}")
        seen = torch.as_tensor(info[name])
        if seen.ndim != 6 or seen.shape[2] != 1:
            raise InputError(
                f"{name}: expected one step of time, shape (E, S, 1, H, W, C) or "
                f"(E, S, 1, C, H, W), got {tuple(seen.shape)}"
            )
        return _as_frames(seen[:, 0, 0], self._model, name)

    def _single(self, candidates: Tensor) -> Tensor:
        """Actions (E, S, H * block, A) one by one."""
        width = self._model.action_dim
        if candidates.ndim != 4 or not width or candidates.shape[-1] % width:
            raise InputError(
                f"actions: expected shape (E, S, H, block * A) with A = {width}, "
                f"got {tuple(candidates.shape)}"
            )
        return candidates.unflatten(-1, (-1, width)).flatten(2, 3)


@final
class PlannerSolver:
    """One of our planners as their `Solver`: for their models, or for ours as a `CostModel`.

    Actions keep the limits of the environment's actions. Draws are a function of the seed and of
    how often it solved.

    Args:
        planner: Options of the planner; their configuration says the horizon.
        model: What is minimised.
        seed: Of all randomness.
        batch_size: Environments planned for side by side; all if None.
        bounds: Limits of the actions that are planned, where these are not in the units of the
            environment because the policy scales them afterwards.
        callbacks: Called after each evaluation with `step`, `candidates` and `costs`.
        seconds: Time after which a search stops; None for no limit.

    Raises:
        InputError: `batch_size` is below 1.
    """

    def __init__(
        self,
        planner: PlannerConfig,
        model: Costable,
        seed: int = 1234,
        batch_size: int | None = None,
        bounds: Bounds | None = None,
        callbacks: Sequence[Callback] = (),
        seconds: float | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size: expected at least 1 environment, got {batch_size}")
        self._options, self._model, self._batch_size = planner, model, batch_size
        self._generator = torch.Generator().manual_seed(seed)
        self._bounds, self._callbacks, self._seconds = bounds, tuple(callbacks), seconds
        self._configured: _Configured | None = None

    def configure(
        self, *, action_space: gym.Space[Any], n_envs: int, config: PlanningSteps
    ) -> None:
        """Get ready for environments.

        Args:
            action_space: Of all environments, a Box of shape (E, A) or a MultiDiscrete of equal
                counts; or a Discrete for all.
            n_envs: Number of environments.
            config: Their `PlanConfig`.

        Raises:
            InputError: The actions are of another kind or have no limits, or the planner cannot
                plan so few steps.
        """
        single, first = _one_of(action_space)
        space = self._bounds or action_space_of(single)
        steps = config.horizon * config.action_block
        planner = replace(self._options, horizon=steps).build()  # pyright: ignore
        self._configured = _Configured(planner, space, first, n_envs, config)

    @property
    def n_envs(self) -> int:
        """Number of environments E."""
        return self._ready.n_envs

    @property
    def horizon(self) -> int:
        """Blocks H of a plan."""
        return self._ready.config.horizon

    @property
    def action_dim(self) -> int:
        """Numbers in a block of actions."""
        return self._ready.width * self._ready.config.action_block

    def __call__(
        self, info_dict: Mapping[str, Any], init_action: Tensor | np.ndarray | None = None
    ) -> dict[str, Any]:
        """See `solve`."""
        return self.solve(info_dict, init_action)

    def solve(
        self, info_dict: Mapping[str, Any], init_action: Tensor | np.ndarray | None = None
    ) -> dict[str, Any]:
        """Plan once, for all environments that the dictionary knows.

        Args:
            info_dict: What is known; every value has E entries, and the model must like them.
            init_action: Where to start from, in the form of `actions`, of up to H blocks; the rest
                is filled with 0, no motion.

        Returns:
            `actions`, shape (E, H, block * A), or numbers of actions, shape (E, H, block); `costs`,
            E numbers; `callbacks`, the history of each, if there are any.

        Raises:
            InputError: It is not configured, or `init_action` does not fit.
        """
        ready = self._ready
        environments = _environments(info_dict, ready.n_envs)
        start = None
        if init_action is not None:
            start = ready.begun(torch.as_tensor(init_action), environments)
        for callback in self._callbacks:
            callback.reset()
        size = self._batch_size or environments
        drawn_from = self._generator.get_state()
        plans = list[Plan]()
        for first in range(0, environments, size):
            self._generator.set_state(drawn_from)  # all environments get the same draws
            batch = slice(first, min(first + size, environments))
            plans.append(self._plan(info_dict, start, batch))
        for callback in self._callbacks:
            callback.end_solve()
        solved = {
            "actions": ready.blocks(torch.cat([plan.actions for plan in plans])),
            "costs": [cost for plan in plans for cost in plan.cost.tolist()],
        }
        seen = {callback.output_key: callback.history for callback in self._callbacks}
        return {**solved, "callbacks": seen} if seen else solved

    def _plan(self, info: Mapping[str, Any], start: Tensor | None, batch: slice) -> Plan:
        """Plan for some of the environments."""
        for callback in self._callbacks:
            callback.start_batch()
        environments = batch.stop - batch.start
        previous = None if start is None else _unjudged(start[batch])
        return self._ready.planner.plan(
            self._objective({name: value[batch] for name, value in info.items()}),
            self._ready.space,
            self._generator,
            environments=environments,
            previous=previous,
            seconds=self._seconds,
        )

    def _objective(self, info: Mapping[str, Any]) -> Objective:
        """Their costs as our objective; a model may keep what it made of a dictionary in it."""
        repeated: dict[tuple[int, bool], dict[str, Any]] = {}
        steps = itertools.count()
        block = self._ready.config.action_block
        parameter = _parameter(self._model)

        def costs(actions: Tensor) -> Tensor:
            candidates = actions.unflatten(2, (-1, block)).flatten(3).to(parameter)
            count = candidates.shape[1]
            kind = count, torch.is_inference_mode_enabled()
            if kind not in repeated:
                repeated[kind] = {k: _repeated(v, count, parameter) for k, v in info.items()}
            found = self._model.get_cost(repeated[kind], candidates)
            step = next(steps)
            for callback in self._callbacks:
                callback(step=step, candidates=candidates, costs=found)
            return found

        return costs

    @property
    def _ready(self) -> _Configured:
        if self._configured is None:
            raise InputError("solver: expected `configure` before anything else")
        return self._configured


@final
@dataclass(frozen=True)
class _Configured:
    """What a solver knows of its environments.

    Attributes:
        planner: Plans H * block steps.
        space: Of one action.
        first: Number of the first of discrete actions.
        n_envs: Environments.
        config: Theirs.
    """

    planner: Planner
    space: ActionSpace
    first: int
    n_envs: int
    config: PlanningSteps

    @property
    def width(self) -> int:
        """Numbers in an action of the environment."""
        return 1 if isinstance(self.space, Choices) else self.space.width

    def begun(self, blocks: Tensor, environments: int) -> Tensor:
        """What blocks of actions begin, as all T actions of a plan (E, T, A)."""
        steps, block = self.config.horizon, self.config.action_block
        expected = (environments, block * self.width)
        if (
            blocks.ndim != 3
            or (len(blocks), blocks.shape[2]) != expected
            or blocks.shape[1] > steps
        ):
            raise InputError(
                f"init_action: expected shape (E, up to {steps}, {expected[1]}) with "
                f"E = {environments}, got {tuple(blocks.shape)}"
            )
        single = blocks.unflatten(2, (block, -1)).flatten(1, 2)
        if isinstance(self.space, Choices):
            last = len(self.space.actions) - 1
            single = self.space.actions[(single[..., 0].long() - self.first).clamp(0, last)]
        return pad(single.float(), (0, 0, 0, steps * block - single.shape[1]))

    def blocks(self, actions: Tensor) -> Tensor:
        """Actions (E, T, A) as their solvers return them."""
        if isinstance(self.space, Choices):
            actions = self.space.index(actions)[..., None] + self.first
        return actions.unflatten(1, (-1, self.config.action_block)).flatten(2).cpu()


_KEPT = "_worldmodel_objective"
"""Under which `CostModel` keeps what it made of a dictionary."""


def _environments(info: Mapping[str, Any], most: int) -> int:
    """Of how many environments a dictionary tells: all, or those that need a plan."""
    if not info:
        raise InputError("info: expected what is known of each environment, got nothing")
    counts = dict[str, int]()
    for name, value in info.items():
        array = isinstance(value, (Tensor, np.ndarray)) and value.ndim > 0
        if not array and not isinstance(value, (list, tuple)):
            raise InputError(
                f"info: expected an entry per environment in {name!r}, got {value!r:.80}"
            )
        counts[name] = len(value)
    found = set(counts.values())
    if len(found) > 1 or not 1 <= min(found) <= most:
        told = ", ".join(f"{count} in {name!r}" for name, count in counts.items())
        raise InputError(
            f"info: expected entries of 1 to {most} environments, as many in each, got {told}"
        )
    return found.pop()


def _one_of(space: gym.Space[Any]) -> tuple[gym.Space[Any], int]:
    """The action space of one environment, and the number of its first action if it is discrete."""
    if isinstance(space, gym.spaces.Box) and len(space.shape) > 1:
        check_floats(space)
        for row, limits in enumerate(zip(space.low, space.high, strict=True)):
            if not np.array_equal(limits, (space.low[0], space.high[0])):
                raise InputError(
                    "action_space: expected the same limits for all environments, got "
                    f"{_told(space.low[0], space.high[0])} of the first and {_told(*limits)} of "
                    f"number {row}"
                )
        low, high = (limit[0].reshape(-1) for limit in (space.low, space.high))
        return gym.spaces.Box(low, high, dtype=np.float32), 0
    if isinstance(space, gym.spaces.MultiDiscrete) and len(set(space.nvec.reshape(-1))) == 1:
        return gym.spaces.Discrete(int(space.nvec.flat[0])), int(space.start.flat[0])
    if isinstance(space, gym.spaces.Discrete):
        return gym.spaces.Discrete(int(space.n)), int(space.start)
    raise InputError(
        "action_space: expected a Box of shape (E, A), a Discrete, or a MultiDiscrete of equal "
        f"counts, got {space}"
    )


def _told(low: np.ndarray, high: np.ndarray) -> str:
    return f"{low.tolist()} to {high.tolist()}"


def _unjudged(actions: Tensor) -> Plan:
    """Actions (E, T, A) as a plan to start from."""
    unknown, none = actions.new_full(actions.shape[:1], torch.nan), actions[:, None][:, :0]
    return Plan(actions, unknown, evaluations=0, dropped=0, seconds=0.0, others=none)


def _parameter(model: Costable) -> Tensor:
    """Something of the type and on the device that a model takes."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next(parameters, torch.zeros(()))


def _repeated(value: Any, count: int, like: Tensor) -> Any:
    """What is known of E environments, for each of their candidates; lists stay as they are."""
    if isinstance(value, np.ndarray):
        return np.repeat(value[:, None], count, axis=1)
    if not isinstance(value, Tensor):
        return value
    value = value.to(like) if value.is_floating_point() else value.to(like.device)
    return value.unsqueeze(1).expand(-1, count, *value.shape[1:])


def _as_frames(seen: Tensor, model: WorldModel, name: str) -> Tensor:
    """Pictures (E, H, W, C) or (E, C, H, W), bytes or in [0, 1], as frames of a model."""
    channels, height, width = model.frame_shape
    if tuple(seen.shape[1:]) == (height, width, channels):
        seen = seen.movedim(-1, 1)
    elif tuple(seen.shape[1:]) != (channels, height, width):
        raise InputError(
            f"{name}: this model expects pictures of (H, W, C) = {(height, width, channels)}, or "
            f"channels first, got {tuple(seen.shape[1:])}"
        )
    if seen.dtype == torch.uint8:
        seen = seen / 255
    low, high = (float(limit) for limit in seen.aminmax())
    if not 0.0 <= low <= high <= 1.0:
        raise InputError(
            f"{name}: expected bytes, or values in [0, 1] of a transform that does not normalise, "
            f"got {low:g} to {high:g}"
        )
    return seen.to(model.device, torch.float32).clone()
