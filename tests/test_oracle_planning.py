"""With the simulator in the model's place, the shipped planner settings solve the tasks."""

from pathlib import Path

import pytest

from worldmodel.envs.benchmark import BenchmarkConfig, benchmark

EPISODES = 20


@pytest.mark.slow
@pytest.mark.parametrize(("task", "least"), [("reach", 0.95), ("push", 0.8)])
def test_the_oracle_solves_what_chance_does_not(task: str, least: float, tmp_path: Path) -> None:
    config = BenchmarkConfig(
        task=task,
        episodes=EPISODES,
        contestants=("oracle", "expert", "random", "null"),
        films=0,
    )
    played = benchmark(config, tmp_path)
    rates = {name: played.score(name).successes / EPISODES for name in config.contestants}
    assert rates["oracle"] >= least
    assert rates["expert"] >= 0.9
    assert rates["random"] <= 0.15
    assert rates["null"] == 0
