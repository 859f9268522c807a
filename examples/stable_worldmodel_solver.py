"""stable-worldmodel: a planner as its solver, for two environments and a shipped model."""

import numpy as np
from gymnasium.vector.utils import batch_space
from stable_worldmodel.policy import PlanConfig

import worldmodel as wm
from worldmodel.envs.suite import SUITES
from worldmodel.plugins.stable_worldmodel import CostModel, PlannerSolver

planning = SUITES["tabletop"].task("reach").planning
costs = CostModel(wm.load("predrnn-v2-tabletop").model, planning)
solver = PlannerSolver(planning.planner, costs, seed=0)
envs = [wm.make("tabletop/reach") for _ in range(2)]
pixels = np.stack([env.reset(seed=seed)[0] for seed, env in enumerate(envs)])
info = {"pixels": pixels[:, None], "goal": np.stack([env.goal_image for env in envs])[:, None]}
steps = PlanConfig(horizon=10, receding_horizon=2)
solver.configure(action_space=batch_space(envs[0].action_space, 2), n_envs=2, config=steps)
solved = solver.solve(info)
print(solved["actions"].shape, solved["costs"])
