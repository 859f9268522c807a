"""Planners, costs and models beside each other on the tabletop, at an equal number of model steps.

Usage: python bench/planners.py FOLDER [--model NAME] [--tasks reach push] [--planners cem icem ...]
[--costs goal-image ...] [--recordings LOGS] [--episodes 20] [--seed 2]. Stopped at any time, it
goes on where it was. A gradient counts as two more evaluations, which is about what it takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from worldmodel.checkpoint import load
from worldmodel.envs.benchmark import BenchmarkConfig, benchmark
from worldmodel.envs.suite import SUITES
from worldmodel.planners import COSTS, PLANNERS
from worldmodel.planners.cost import CostConfig
from worldmodel.planners.costs.background_weighted import BackgroundWeightedConfig
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.planners.planning import PlanningConfig
from worldmodel.report.table import Cell, Table

EVALUATIONS = 80
"""Of every plan; each horizon steps of the model."""

BUDGETS: Mapping[str, dict[str, Any]] = {
    "cem": {"candidates": 40, "iterations": 2, "elites": 6, "initial_std": 0.8},
    "icem": {"candidates": 32, "iterations": 3, "elites": 5, "initial_std": 0.8},
    "mppi": {"candidates": 26, "iterations": 3, "initial_std": 0.8},
    "predictive-sampling": {"candidates": 80},
    "random-shooting": {"candidates": 80},
    "gradient": {"sequences": 4, "steps": 6, "initial_std": 0.8},
    "cem-gradient": {
        "candidates": 20,
        "iterations": 2,
        "elites": 4,
        "initial_std": 0.8,
        "steps": 4,
    },
}
"""Options of each planner with which it takes at most `EVALUATIONS`."""

GRADIENT = ("gradient", "cem-gradient")


def planning(task: str, planner: str, cost: str, recordings: str | None) -> PlanningConfig:
    known = SUITES["tabletop"].task(task).planning
    horizon = known.planner.build().horizon
    options = {"horizon": horizon, "chunk": 2, **BUDGETS[planner]}
    return replace(
        known,
        planner=PLANNERS[planner](**options),
        cost=_cost(cost, known.cost, recordings),
        replan_every=4,
    )


def _cost(name: str, known: CostConfig, recordings: str | None) -> CostConfig:
    """The task's own goal image, another by its defaults, or one that looks at recordings too."""
    if name == "goal-image":
        return known
    assert isinstance(known, GoalImageConfig)
    if name != "background-weighted":
        return COSTS[name]()
    assert recordings is not None
    return BackgroundWeightedConfig(recordings, scales=known.scales)


def rows(options: argparse.Namespace) -> Iterator[dict[str, Cell]]:
    checkpoint = load(options.model)
    for task in options.tasks:
        for planner in options.planners:
            for cost in options.costs:
                simulated = planner not in GRADIENT and cost != "goal-latent"
                config = BenchmarkConfig(
                    task=task,
                    contestants=("model", "oracle") if simulated else ("model",),
                    episodes=options.episodes,
                    seed=options.seed,
                    films=0,
                    planning=planning(task, planner, cost, options.recordings),
                )
                folder = options.folder / options.model / task / f"{planner}-{cost}"
                played = benchmark(config, folder, checkpoint.model, checkpoint.card.action_names)
                for row in played.rows():
                    yield {"task": task, "planner": planner, "cost": cost, **row}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="predrnn-v2-tabletop")
    parser.add_argument("--tasks", nargs="+", default=["reach", "push"])
    parser.add_argument("--planners", nargs="+", default=list(BUDGETS))
    parser.add_argument("--costs", nargs="+", default=["goal-image"])
    parser.add_argument("--recordings")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2)
    torch.set_num_threads(1)
    print(Table.of(list(rows(parser.parse_args()))).markdown())


if __name__ == "__main__":
    main()
