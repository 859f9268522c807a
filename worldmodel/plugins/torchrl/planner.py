"""Our planners as TorchRL's: they search in any environment that is stepped from a TensorDict."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from tensordict import NestedKey, TensorDictBase
from torch import Tensor
from torchrl.data import Bounded, OneHot
from torchrl.data.tensor_specs import ContinuousBox
from torchrl.envs import EnvBase
from torchrl.modules.planners.common import MPCPlannerBase

from worldmodel.errors import InputError
from worldmodel.planners.cost import EVERY_STEP, Schedule
from worldmodel.planners.planner import Plan, Planner
from worldmodel.planners.search import Objective
from worldmodel.planners.space import ActionSpace, Bounds, Choices


@final
class MPCPlanner(MPCPlannerBase):
    """Plans from the state in a TensorDict of any batch size, and writes the first action.

    The plan of the step before, shifted by the action that was taken, is where the next search
    starts. It is forgotten for those of the batch whose `is_init` is true (TorchRL's `InitTracker`
    writes it), for all when the batch size changes, and by `reset`.

    Args:
        env: Imagines: a `WorldModelEnv`, or any TorchRL environment that keeps nothing between
            steps; of batch size (), whose actions have finite limits or are one-hot.
        planner: Searches for the actions of most reward.
        schedule: How much the rewards of which steps count; all alike if left out. Those after an
            environment is done never count.
        at_once: Candidates imagined side by side; fewer need less memory. All if None.
        seed: Of all randomness.

    Raises:
        InputError: The environment has a batch size or other actions, or the planner cannot choose
            such actions.
    """

    def __init__(
        self,
        env: EnvBase,
        planner: Planner,
        schedule: Schedule = EVERY_STEP,
        at_once: int | None = None,
        seed: int = 0,
    ) -> None:
        if env.batch_locked or env.batch_size:
            raise InputError(
                "env: expected one of batch size () that takes TensorDicts of any, "
                f"got {type(env).__name__} of batch size {tuple(env.batch_size)}"
            )
        self._space = _space(env)
        planner.check(self._space)
        super().__init__(env)
        self._planner, self._schedule, self._at_once = planner, schedule, at_once
        self.reset(seed)

    def reset(self, seed: int = 0) -> None:
        """Forget the last plan, and begin all randomness anew."""
        self._plan: Plan | None = None
        self._generator = torch.Generator().manual_seed(seed)

    def planning(self, td: TensorDictBase) -> Tensor:
        """The actions (..., A) to take now, one for each of the batch.

        Raises:
            InputError: The environment's rewards are no numbers, one per future.
        """
        size = td.batch_size
        present = td.select(*_inputs(self.env), strict=False).reshape(size.numel())
        self._plan = self._planner.plan(
            objective(self.env, present, self._schedule, self._at_once),
            self._space,
            self._generator,
            environments=size.numel(),
            previous=self._previous(td),
        )
        return self._plan.actions[:, 0].reshape(*size, -1)

    def _previous(self, td: TensorDictBase) -> Plan | None:
        """The last plan, where it goes on."""
        if self._plan is None or len(self._plan.actions) != td.batch_size.numel():
            return None
        shifted, started = self._plan.shifted(1), td.get("is_init", None)
        if started is None or not started.any():
            return shifted
        if started.all():
            return None
        forgotten = started.reshape(-1, 1, 1).to(shifted.actions.device)
        fresh = _middle(self._space)
        return replace(
            shifted,
            actions=torch.where(forgotten, fresh, shifted.actions),
            others=torch.where(forgotten[..., None], fresh, shifted.others),
        )


def objective(
    env: EnvBase,
    present: TensorDictBase,
    schedule: Schedule = EVERY_STEP,
    at_once: int | None = None,
) -> Objective:
    """Minus the rewards that candidate actions (E, N, T, A) are imagined to earn: costs (E, N).

    Of a candidate's future, only the step that is imagined now is kept.

    Args:
        env: Imagines; takes TensorDicts of any batch size.
        present: What it starts from. Batch size (E,).
        schedule: How much the rewards of which steps count.
        at_once: Candidates imagined side by side; all if None.
    """

    def costs(actions: Tensor) -> Tensor:
        parts = actions.split(at_once or actions.shape[1], dim=1)
        return torch.cat([_summed(env, present, schedule, part) for part in parts], dim=1)

    return costs


def _summed(env: EnvBase, present: TensorDictBase, schedule: Schedule, actions: Tensor) -> Tensor:
    futures, horizon = actions.shape[:2], actions.shape[2]
    now = present.unsqueeze(1).expand(*futures)
    taken = actions.to(env.device, env.action_spec.dtype)
    total = actions.new_zeros(futures)
    going = torch.ones(futures, dtype=torch.bool, device=actions.device)
    for t in range(horizon):
        stepped = env.step(now.copy().set("action", taken[:, :, t]))
        after = stepped["next"]
        reward = after["reward"].reshape(futures)
        total = total - schedule.weight(t, horizon) * torch.where(going, reward, 0.0)
        going = going & ~after["done"].reshape(futures)
        now = env.step_mdp(stepped)
    return total


def _inputs(env: EnvBase) -> list[NestedKey]:
    """Entries that a step starts from."""
    return [*env.observation_spec.keys(), *env.state_spec.keys(), *env.full_done_spec.keys()]


def _space(env: EnvBase) -> ActionSpace:
    spec = env.action_spec
    if isinstance(spec, OneHot):
        return Choices(torch.eye(spec.shape[-1], device=spec.device))
    if not isinstance(spec, Bounded) or not isinstance(spec.space, ContinuousBox):
        raise InputError(
            f"env: expected actions with limits, or one-hot ones, got {type(spec).__name__}"
        )
    return Bounds(spec.space.low, spec.space.high)


def _middle(space: ActionSpace) -> Tensor:
    """Where a search starts that knows nothing. Shape (A,)."""
    return space.middle if isinstance(space, Bounds) else space.rest(())
