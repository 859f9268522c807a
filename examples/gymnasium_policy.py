"""Gymnasium: a shipped model as the policy of an environment."""

import gymnasium as gym

import worldmodel as wm
from worldmodel.envs.suite import SUITES
from worldmodel.plugins.gymnasium import PixelPolicy

planning = SUITES["tabletop"].task("reach").planning
env = gym.make("worldmodel/TabletopReach-v0")
policy = PixelPolicy(env, wm.load("predrnn-v2-tabletop").model, planning)
picture, info = env.reset(seed=0)
policy.reset(env.get_wrapper_attr("goal_image"))
truncated = False
while not truncated:
    picture, _, _, truncated, info = env.step(policy(picture, info))
print(f"{100 * info['distance']:.1f} cm from the goal")
