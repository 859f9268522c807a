"""Planning in imagination: planners, costs, the objective, and the agent that uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmodel.registry import Registry

if TYPE_CHECKING:
    from worldmodel.planners.cost import CostConfig
    from worldmodel.planners.planner import PlannerConfig

PLANNERS: Registry[type[PlannerConfig]] = Registry(
    "planner",
    {
        "cem": "worldmodel.planners.cem:CEMConfig",
        "random": "worldmodel.planners.baselines:RandomConfig",
        "null": "worldmodel.planners.baselines:NullConfig",
    },
)
"""What searches for actions, by name."""

COSTS: Registry[type[CostConfig]] = Registry(
    "cost",
    {
        "goal-image": "worldmodel.planners.costs.goal_image:GoalImageConfig",
        "goal-latent": "worldmodel.planners.costs.goal_latent:GoalLatentConfig",
        "region-change": "worldmodel.planners.costs.region_change:RegionChangeConfig",
        "disagreement": "worldmodel.planners.costs.disagreement:DisagreementConfig",
        "action-penalty": "worldmodel.planners.costs.action_penalty:ActionPenaltyConfig",
        "smoothness": "worldmodel.planners.costs.smoothness:SmoothnessConfig",
    },
)
"""What compares an imagined future with a goal, by name."""
