"""What another package adds to planning: a file and an entry point each, and no file of ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from worldmodel.checkpoint import ModelCard, save_checkpoint
from worldmodel.models.predrnn import PredRNNConfig

OUTSIDE = Path(__file__).parent / "outside"


def worldmodel(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where the other package is installed."""
    return subprocess.run(
        [sys.executable, "-m", "worldmodel", *arguments],
        env={**os.environ, "PYTHONPATH": str(OUTSIDE)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "checkpoint"
    network = PredRNNConfig(layers=1, hidden=4, kernel=3).build((3, 64, 96), 2)
    names = ("shoulder", "elbow")
    card = ModelCard((3, 64, 96), names, (0.0,) * 2, (1.0,) * 2, ("plain",), 1, 4, 0, 0, "toy")
    save_checkpoint(folder, network, card)
    return folder


def test_each_is_one_short_file() -> None:
    for name in ("toy_planner.py", "toy_cost.py", "toy_suite.py"):
        lines = (OUTSIDE / name).read_text().splitlines()
        assert len([line for line in lines if line.strip()]) < 40, name


def test_an_outside_planner_cost_and_suite_play_together(model: Path, tmp_path: Path) -> None:
    done = worldmodel(
        "plan",
        str(model),
        *("--suite=reacher", "--task=touch", "--contestants", "model", "null", "--episodes=2"),
        *("--planning.planner=hill-climbing", "--planning.planner.candidates=8"),
        *("--planning.planner.horizon=3", "--planning.cost=goal-feature"),
        f"--output={tmp_path / 'played'}",
    )
    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / "played" / "episodes.json").read_text())
    assert [record["contestant"] for record in records] == ["model", "null"] * 2
    assert {record["domain"] for record in records} == {"plain"}
    assert (tmp_path / "played" / "plain-0-model.gif").stat().st_size > 1000


@pytest.mark.slow
def test_the_oracle_finds_the_goal_of_an_outside_suite(tmp_path: Path) -> None:
    done = worldmodel(
        "plan",
        *("--suite=reacher", "--task=touch", "--contestants", "oracle", "null", "--episodes=4"),
        *("--planning.planner.horizon=6", "--planning.planner.candidates=40", "--films=0"),
        f"--output={tmp_path / 'played'}",
    )
    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / "played" / "episodes.json").read_text())
    ends = {"oracle": [], "null": []}
    for record in records:
        ends[record["contestant"]].append(record["outcome"]["final_distance"])
    assert sum(ends["oracle"]) < 0.3 * sum(ends["null"])


@pytest.mark.slow
def test_a_cost_of_latents_tells_that_a_simulator_has_none(model: Path, tmp_path: Path) -> None:
    done = worldmodel(
        "plan",
        str(model),
        *("--suite=reacher", "--task=touch", "--contestants=oracle", "--episodes=1"),
        *("--planning.cost=goal-feature", f"--output={tmp_path / 'played'}"),
    )
    assert done.returncode == 2
    assert "cost 'goal-feature': expected a learned model, got a simulator" in done.stderr


@pytest.mark.slow
def test_an_unknown_name_lists_those_of_other_packages_too() -> None:
    done = worldmodel("plan", "--planning.planner=hill-climb")
    assert done.returncode == 2
    assert "did you mean hill-climbing?" in done.stderr
    assert "Traceback" not in done.stderr
