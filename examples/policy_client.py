"""A robot at `worldmodel serve predrnn-v2-tabletop --task reach`, whose address may be given."""

import sys

import numpy as np

import worldmodel as wm
from worldmodel.plugins.client import PolicyClient

env, robot = wm.make("tabletop/reach"), PolicyClient(*sys.argv[1:2])
picture, info = env.reset(seed=0)
robot.reset(env.goal_image)
for _ in range(15):
    picture, _, _, _, info = env.step(np.array(robot.act(picture)))
print(f"{100 * info['distance']:.1f} cm from the goal")
