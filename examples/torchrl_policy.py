"""Reach a goal picture with a shipped world model, in a rollout of TorchRL."""

import torch

import worldmodel as wm
from worldmodel.plugins.torchrl import MPCPolicy, goal_env

env = goal_env(wm.make("tabletop/reach"), steps=8)
foresight = wm.ModelForesight(wm.load("predrnn-v2-tabletop").model)
planner = wm.CEM(wm.CEMConfig(horizon=4, candidates=24, iterations=2))
policy = MPCPolicy(wm.VisualMPC(foresight, planner, wm.Bounds(-torch.ones(2), torch.ones(2))))

env.set_seed(1)
end = env.rollout(8, policy)[-1]["next"]
print(f"distance {end['distance'].item():.3f} m, success {end['success'].item()}")
