"""With the simulator in the model's place, the shipped planner settings solve the tasks."""

from dataclasses import replace
from pathlib import Path

import pytest

from worldmodel.commands.options import parse
from worldmodel.commands.plan import PlanConfig
from worldmodel.envs.benchmark import BenchmarkConfig, benchmark

EPISODES = 20


def shipped(task: str, folder: Path) -> BenchmarkConfig:
    arguments = ["--config", f"tabletop-{task}", "--output", str(folder)]
    return parse(PlanConfig, "plan", arguments).benchmark


@pytest.mark.slow
@pytest.mark.parametrize(("task", "least"), [("reach", 0.95), ("push", 0.8)])
def test_the_oracle_solves_what_chance_does_not(task: str, least: float, tmp_path: Path) -> None:
    config = replace(
        shipped(task, tmp_path),
        episodes=EPISODES,
        contestants=("oracle", "random", "null"),
        films=0,
    )
    played = benchmark(config, tmp_path)
    rates = {name: played.score(name).successes / EPISODES for name in ("oracle", "random", "null")}
    assert rates["oracle"] >= least
    assert rates["random"] <= 0.15
    assert rates["null"] == 0
