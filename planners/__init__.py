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
        "icem": "worldmodel.planners.icem:ICEMConfig",
        "mppi": "worldmodel.planners.mppi:MPPIConfig",
        "predictive-sampling": "worldmodel.planners.predictive_sampling:PredictiveSamplingConfig",
        "random-shooting": "worldmodel.planners.random_shooting:RandomShootingConfig",
        "gradient": "worldmodel.planners.gradient:GradientConfig",
        "cem-gradient": "worldmodel.planners.cem_gradient:CEMGradientConfig",
        "lagrangian": "worldmodel.planners.lagrangian:LagrangianConfig",
        "categorical-cem": "worldmodel.planners.categorical_cem:CategoricalCEMConfig",
        "random": "worldmodel.planners.baselines:RandomConfig",
        "null": "worldmodel.planners.baselines:NullConfig",
    },
)
"""What searches for actions, by name."""

COSTS: Registry[type[CostConfig]] = Registry(
    "cost", {"goal-image": "worldmodel.planners.costs.goal_image:GoalImageConfig"}
)
"""What compares an imagined future with a goal, by name."""
