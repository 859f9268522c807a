"""How an agent plans, as options: planner, cost, schedule, and how often it plans again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worldmodel.checkpoint import load
from worldmodel.compiling import compile_steps
from worldmodel.errors import InputError, check_at_least, check_whole
from worldmodel.model import WorldModel
from worldmodel.planners.agent import Aim, VisualMPC, check_keeps_limits
from worldmodel.planners.cost import EVERY_STEP, CostConfig, Scene, Schedule
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.planners.costs.weighted_sum import configured, parts, weighted
from worldmodel.planners.foresight import EnsembleForesight, Foresight, ModelForesight
from worldmodel.planners.icem import ICEMConfig
from worldmodel.planners.objective import Limit
from worldmodel.planners.planner import PlannerConfig
from worldmodel.planners.space import ActionSpace


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class PlanningConfig:
    """How an agent plans.

    Attributes:
        planner: What searches for actions, and its options.
        cost: What compares an imagined future with the goal picture.
        schedule: Which steps of the future count how much in that cost.
        penalties: Costs of all steps beside that, by name a weight, or options and `weight`:
            `{action-penalty: 0.1, slot-bus: {weight: 5, recordings: logs}}`.
        limits: Costs that no step may exceed, by name options and `at_most`:
            `{region-change: {at_most: 0.02, region: [0, 0, 0.2, 1]}}`; for planners that keep them.
        replan_every: Actions executed of each plan, best a multiple of the planner's chunk.
        action_repeat: Times that each action is executed; the model sees every so many frames.
        seconds: Time in which each action must be planned; None for no limit.
        at_once: Candidates imagined side by side; fewer need less memory. All if None.
        megabytes: Memory that candidates may take side by side; no limit if None.
        blind_steps: Frames in a row that may be missing, damaged or late.
        bfloat16: Imagine in bfloat16 autocast.
        compile: Compile the steps of the model: about a minute for each number of candidates at
            first, and little gain on a CPU.
        ensemble: Checkpoints, or names of shipped ones, that imagine beside the model.
    """

    planner: PlannerConfig = field(default_factory=ICEMConfig)
    cost: CostConfig = field(default_factory=GoalImageConfig)
    schedule: Schedule = field(default_factory=Schedule)
    penalties: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    replan_every: int = 1
    action_repeat: int = 1
    seconds: float | None = None
    at_once: int | None = None
    megabytes: float | None = None
    blind_steps: int = 3
    bfloat16: bool = False
    compile: bool = False
    ensemble: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_whole(1, self, "replan_every", "action_repeat", *self._given("at_once"))
        check_whole(0, self, "blind_steps")
        check_at_least(0, self, *self._given("seconds", "megabytes"))
        if isinstance(self.ensemble, str):
            raise InputError(f"ensemble: expected a list of checkpoints, got {self.ensemble!r}")
        parts(self.penalties)
        for name, given in self.limits.items():
            _limited(name, given)

    def _given(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    def aim(self, scene: Scene) -> Aim:
        """What to minimise in a scene; see `CostConfig.build`.

        Raises:
            InputError: The options of the cost do not fit the scene.
        """
        cost = self.schedule * self.cost.build(scene)
        limited = [_limited(name, given) for name, given in self.limits.items()]
        limits = tuple(Limit(config.build(scene), at_most) for config, at_most in limited)
        return Aim(cost + weighted(self.penalties, scene) if self.penalties else cost, limits)

    def agent(self, foresight: Foresight, space: ActionSpace) -> VisualMPC:
        """An agent that aims as is configured.

        Raises:
            InputError: Planner, foresight and actions do not fit each other.
        """
        planner = self.planner.build()
        if self.limits:
            check_keeps_limits(planner)
        return VisualMPC(
            foresight,
            planner,
            space,
            replan_every=self.replan_every,
            action_repeat=self.action_repeat,
            schedule=EVERY_STEP,
            at_once=self.at_once,
            megabytes=self.megabytes,
            seconds=self.seconds,
            blind_steps=self.blind_steps,
            aim=self.aim,
        )

    def foresight(self, model: WorldModel) -> Foresight:
        """What a model tells of the future, or an ensemble, in the configured number format.

        Raises:
            InputError: A checkpoint of the ensemble cannot be read or does not fit the model.
        """
        models = [model, *(load(name).model for name in self.ensemble)]
        if self.compile:
            models = [compile_steps(each) for each in models]
        if len(models) == 1:
            return ModelForesight(model, self.bfloat16)
        return EnsembleForesight(models, self.bfloat16)


def _limited(name: str, given: Any) -> tuple[CostConfig, float]:
    """A cost and the most that it may be.

    Raises:
        InputError: `at_most` is missing or no finite number; or see `configured`.
    """
    options = dict(given) if isinstance(given, Mapping) else {}
    at_most = options.pop("at_most", None)
    number = isinstance(at_most, (int, float)) and not isinstance(at_most, bool)
    if not number or not math.isfinite(at_most):
        raise InputError(
            f"limits.{name}: expected options with a finite number as `at_most`, got {given!r}"
        )
    return configured(name, options), float(at_most)
