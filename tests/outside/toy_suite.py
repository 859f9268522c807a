"""A suite: Gymnasium's own two-link arm brings its fingertip to where the goal picture shows it."""

from worldmodel.envs.backend import settle_backend

settle_backend()

import gymnasium as gym
import numpy as np
from gymnasium.envs.mujoco.reacher_v5 import ReacherEnv

from worldmodel.envs.suite import Suite, TaskSpec


class Reacher(ReacherEnv):
    action_names = ("shoulder", "elbow")

    def __init__(self, domain="plain", size=(64, 64), render_mode="rgb_array"):
        super().__init__(render_mode=render_mode, height=size[0], width=size[1])
        self.domain = domain

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        start = self.save_state()
        self.set_state(np.append(self.np_random.uniform(-1, 1, 2), start[0][2:]), 0 * start[1])
        self.goal, self.goal_image = self.data.body("fingertip").xpos.copy(), self.render()
        self.restore_state(start)
        return self.render(), self.advance(np.zeros(2))

    def step(self, action):
        info = self.advance(action)
        return self.render(), -info["distance"], False, False, info

    def advance(self, action):
        self.do_simulation(action, self.frame_skip)
        distance = np.linalg.norm(self.data.body("fingertip").xpos - self.goal)
        return {"success": bool(distance < 0.03), "distance": float(distance)}

    def save_state(self):
        return self.data.qpos.copy(), self.data.qvel.copy()

    def restore_state(self, state):
        self.set_state(*state)


gym.register("toy/Reacher-v0", Reacher, max_episode_steps=12)
SUITE = Suite("reacher", {"touch": TaskSpec("toy/Reacher-v0")}, ("plain",), unit="m")
