"""How an agent plans, as options: planner, cost, schedule, and how often it plans again."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldmodel.errors import check_at_least
from worldmodel.model import WorldModel
from worldmodel.planners.agent import VisualMPC
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import EVERY_STEP, Cost, CostConfig, Scene, Schedule
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.planners.foresight import Foresight, ModelForesight
from worldmodel.planners.planner import Bounds, Planner, PlannerConfig


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class PlanningConfig:
    """How an agent plans.

    Attributes:
        planner: What searches for actions, and its options.
        cost: What compares an imagined future with the goal picture.
        schedule: Which steps of the future count how much in that cost.
        action_penalty: Weight of the squared actions, of all steps.
        replan_every: Actions executed of each plan, best a multiple of the planner's chunk.
        seconds: Time after which a search stops; None for no limit.
        at_once: Candidates imagined side by side; fewer need less memory. All if None.
        bfloat16: Imagine in bfloat16 autocast.
    """

    planner: PlannerConfig = field(default_factory=CEMConfig)
    cost: CostConfig = field(default_factory=GoalImageConfig)
    schedule: Schedule = field(default_factory=Schedule)
    action_penalty: float = 0.0
    replan_every: int = 1
    seconds: float | None = None
    at_once: int | None = None
    bfloat16: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "replan_every", *([] if self.at_once is None else ["at_once"]))
        check_at_least(0, self, "action_penalty", *([] if self.seconds is None else ["seconds"]))

    def aim(self, scene: Scene) -> Cost:
        """What to minimise in a scene; see `CostConfig.build`.

        Raises:
            InputError: The options of the cost do not fit the scene.
        """
        return self.schedule * self.cost.build(scene) + self.action_penalty * ActionPenalty()

    def agent(
        self, foresight: Foresight, bounds: Bounds, planner: Planner | None = None
    ) -> VisualMPC:
        """An agent for what `aim` gives; `planner` plans in the place of the configured one.

        Raises:
            InputError: `replan_every` is longer than the planner's horizon.
        """
        return VisualMPC(
            foresight,
            planner or self.planner.build(),
            bounds,
            self.replan_every,
            EVERY_STEP,
            self.at_once,
            self.seconds,
        )

    def foresight(self, model: WorldModel) -> ModelForesight:
        """What a model tells of the future, in the configured number format."""
        return ModelForesight(model, self.bfloat16)
