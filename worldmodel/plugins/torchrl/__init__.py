"""TorchRL: world models as its environments, planners as its policies, what it collects as clips.

TorchRL is imported here and nowhere else; see https://docs.pytorch.org/rl.
"""

from worldmodel.plugins.torchrl.env import WorldModelEnv

__all__ = ["WorldModelEnv"]
