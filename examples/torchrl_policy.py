"""Reach a goal picture with a shipped world model, in a rollout of TorchRL."""

import torch

import worldmodel as wm
from worldmodel.plugins.torchrl import MPCPolicy, goal_env

env = goal_env(wm.make("tabletop/reach"), steps=10)
foresight = wm.ModelForesight(wm.load("predrnn-v2-tabletop").model)
bounds = wm.Bounds(-torch.ones(2), torch.ones(2))
policy = MPCPolicy(wm.VisualMPC(foresight, wm.CEM(wm.CEMConfig(horizon=4)), bounds))

env.set_seed(1)
end = env.rollout(10, policy)[-1]["next"]
print(f"distance {end['distance'].item():.3f} m, success {end['success'].item()}")
