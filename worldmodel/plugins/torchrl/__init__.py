"""TorchRL: world models as its environments, planners as its policies, what it collects as clips.

TorchRL is imported here and nowhere else; see https://docs.pytorch.org/rl.
"""

from worldmodel.plugins.torchrl.clips import Collected, clips
from worldmodel.plugins.torchrl.env import WorldModelEnv
from worldmodel.plugins.torchrl.goal_env import goal_env
from worldmodel.plugins.torchrl.planner import MPCPlanner
from worldmodel.plugins.torchrl.policy import MPCPolicy

__all__ = ["Collected", "MPCPlanner", "MPCPolicy", "WorldModelEnv", "clips", "goal_env"]
