"""pytorch_mppi: its MPPI plans in a shipped model, step by step to a goal picture."""

import torch
from pytorch_mppi import MPPI

import worldmodel as wm
from worldmodel.frames import as_frames
from worldmodel.plugins.pytorch_mppi import MPPIModel

env = wm.make("tabletop/reach")
picture, info = env.reset(seed=0)
goal, model = wm.GoalImage(env.goal_image), wm.load("predrnn-v2-tabletop").model
world = MPPIModel(model, goal, horizon=8, schedule=wm.Schedule(running=0.3))
low, high = torch.tensor(env.action_space.low), torch.tensor(env.action_space.high)
options = {"num_samples": 40, "horizon": 8, "lambda_": 100.0, "u_min": low, "u_max": high}
mppi = MPPI(world.dynamics, world.running_cost, world.nx, 0.3 * torch.eye(2), **options)
state = world.reset(as_frames(picture))
for _ in range(15):
    action = mppi.command(state)
    picture, _, _, _, info = env.step(action.numpy())
    state = world.observe(action, as_frames(picture))
print(f"{100 * info['distance']:.1f} cm from the goal")
