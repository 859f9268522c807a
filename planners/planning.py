"""How an agent plans, as options: planner, cost, schedule, and how often it plans again."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldmodel.checkpoint import load
from worldmodel.errors import check_at_least
from worldmodel.model import WorldModel
from worldmodel.planners.agent import Aim, VisualMPC
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import EVERY_STEP, CostConfig, Scene, Schedule
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.planners.foresight import EnsembleForesight, Foresight, ModelForesight
from worldmodel.planners.planner import PlannerConfig
from worldmodel.planners.space import ActionSpace


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class PlanningConfig:
    """How an agent plans.

    Attributes:
        planner: What searches for actions, and its options.
        cost: What compares an imagined future with the goal picture.
        schedule: Which steps of the future count how much in that cost.
        action_penalty: Weight of the squared actions, of all steps.
        replan_every: Actions executed of each plan, best a multiple of the planner's chunk.
        action_repeat: Times that each action is executed; the model sees every so many frames.
        seconds: Time in which each action must be planned; None for no limit.
        at_once: Candidates imagined side by side; fewer need less memory. All if None.
        blind_steps: Frames in a row that may be missing, damaged or late.
        bfloat16: Imagine in bfloat16 autocast.
        ensemble: Checkpoints, or names of shipped ones, that imagine beside the model.
    """

    planner: PlannerConfig = field(default_factory=CEMConfig)
    cost: CostConfig = field(default_factory=GoalImageConfig)
    schedule: Schedule = field(default_factory=Schedule)
    action_penalty: float = 0.0
    replan_every: int = 1
    action_repeat: int = 1
    seconds: float | None = None
    at_once: int | None = None
    blind_steps: int = 3
    bfloat16: bool = False
    ensemble: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        optional = [name for name in ("at_once",) if getattr(self, name) is not None]
        check_at_least(1, self, "replan_every", "action_repeat", *optional)
        optional = [name for name in ("seconds",) if getattr(self, name) is not None]
        check_at_least(0, self, "action_penalty", "blind_steps", *optional)

    def aim(self, scene: Scene) -> Aim:
        """What to minimise in a scene; see `CostConfig.build`.

        Raises:
            InputError: The options of the cost do not fit the scene.
        """
        cost = self.schedule * self.cost.build(scene) + self.action_penalty * ActionPenalty()
        return Aim(cost)

    def agent(self, foresight: Foresight, space: ActionSpace) -> VisualMPC:
        """An agent that aims as is configured.

        Raises:
            InputError: Planner, foresight and actions do not fit each other.
        """
        return VisualMPC(
            foresight,
            self.planner.build(),
            space,
            replan_every=self.replan_every,
            action_repeat=self.action_repeat,
            schedule=EVERY_STEP,
            at_once=self.at_once,
            seconds=self.seconds,
            blind_steps=self.blind_steps,
            aim=self.aim,
        )

    def foresight(self, model: WorldModel) -> Foresight:
        """What a model tells of the future, or an ensemble, in the configured number format.

        Raises:
            InputError: A checkpoint of the ensemble cannot be read or does not fit the model.
        """
        if not self.ensemble:
            return ModelForesight(model, self.bfloat16)
        others = [load(name).model for name in self.ensemble]
        return EnsembleForesight([model, *others], self.bfloat16)
