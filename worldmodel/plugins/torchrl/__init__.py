"""TorchRL: world models as its environments, planners as its policies, what it collects as clips.

TorchRL is imported here and nowhere else; see https://docs.pytorch.org/rl.
"""

from worldmodel.plugins.torchrl.env import WorldModelEnv
from worldmodel.plugins.torchrl.goal_env import goal_env
from worldmodel.plugins.torchrl.planner import MPCPlanner

__all__ = ["MPCPlanner", "WorldModelEnv", "goal_env"]
