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

_COSTS = "worldmodel.planners.costs"

COSTS: Registry[type[CostConfig]] = Registry(
    "cost",
    {
        "goal-image": f"{_COSTS}.goal_image:GoalImageConfig",
        "background-weighted": f"{_COSTS}.background_weighted:BackgroundWeightedConfig",
        "goal-sequence": f"{_COSTS}.goal_sequence:GoalSequenceConfig",
        "goal-latent": f"{_COSTS}.goal_latent:GoalLatentConfig",
        "lpips": f"{_COSTS}.lpips:LPIPSConfig",
        "designated-pixel": f"{_COSTS}.designated_pixel:DesignatedPixelConfig",
        "success-classifier": f"{_COSTS}.success_classifier:SuccessClassifierConfig",
        "region-change": f"{_COSTS}.region_change:RegionChangeConfig",
        "disagreement": f"{_COSTS}.disagreement:DisagreementConfig",
        "slot-bus": f"{_COSTS}.slot_bus:SlotBusConfig",
        "action-penalty": f"{_COSTS}.action_penalty:ActionPenaltyConfig",
        "smoothness": f"{_COSTS}.smoothness:SmoothnessConfig",
        "weighted-sum": f"{_COSTS}.weighted_sum:WeightedSumConfig",
    },
)
"""What judges an imagined future, mostly by a goal, by name."""
