"""The tabletop as a suite, and how its tasks are planned best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from worldmodel.envs.goal_env import GoalEnv
from worldmodel.envs.suite import Suite, TaskSpec
from worldmodel.envs.tabletop.env import TabletopEnv
from worldmodel.envs.tabletop.exploration import random_arrangement, seek, wander
from worldmodel.envs.tabletop.laboratory import LABORATORIES
from worldmodel.envs.tabletop.simulation import Tabletop
from worldmodel.errors import InputError
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import Schedule
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.planners.icem import ICEMConfig
from worldmodel.planners.planning import PlanningConfig

Explorer = Callable[[Tabletop, np.random.Generator], Iterator[np.ndarray]]


def _explored(
    explorer: Explorer, env: GoalEnv, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """A policy: arrange hand and object at random, then explore."""
    if not isinstance(env, TabletopEnv):
        raise InputError(f"policy: expected a TabletopEnv, got {type(env).__name__}")
    env.tabletop.reset(random_arrangement(env.tabletop, env.planar, random))
    for action in explorer(env.tabletop, random):
        yield action[: len(env.action_names)]


_REACH = PlanningConfig(
    CEMConfig(horizon=10, chunk=2, candidates=40, iterations=2, elites=6, initial_std=0.8),
    GoalImageConfig((4, 16, 32)),
    Schedule(running=0.3),
    replan_every=2,
    bfloat16=True,
)
_FAST_REACH = ICEMConfig(
    horizon=10, chunk=2, candidates=16, iterations=3, elites=4, initial_std=0.8
)
_BEST_REACH = CEMConfig(horizon=10, chunk=2, candidates=80, iterations=3, elites=8, initial_std=0.8)
_PUSH = PlanningConfig(
    CEMConfig(horizon=8, chunk=2, candidates=40, iterations=3, elites=6, initial_std=0.8),
    GoalImageConfig((1, 4, 16)),
    replan_every=2,
    bfloat16=True,
)
_FAST_PUSH = ICEMConfig(horizon=8, chunk=2, candidates=20, iterations=3, elites=4, initial_std=0.8)
_BEST_PUSH = CEMConfig(horizon=8, chunk=2, candidates=80, iterations=4, elites=8, initial_std=0.8)

SUITE = Suite(
    name="tabletop",
    tasks={
        "reach": TaskSpec(
            "worldmodel/TabletopReach-v0",
            _REACH,
            {
                "fast": replace(_REACH, planner=_FAST_REACH, replan_every=4),
                "best": replace(_REACH, planner=_BEST_REACH),
            },
        ),
        "push": TaskSpec(
            "worldmodel/TabletopPush-v0",
            _PUSH,
            {
                "fast": replace(_PUSH, planner=_FAST_PUSH),
                "best": replace(_PUSH, planner=_BEST_PUSH),
            },
        ),
    },
    domains=tuple(laboratory.name for laboratory in LABORATORIES),
    unit="m",
    policies={"seek": partial(_explored, seek), "wander": partial(_explored, wander)},
    collection={"seek": 0.7, "wander": 0.3},
)
"""Reach and push in four laboratories."""
