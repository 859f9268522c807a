"""What accuracy costs: planning success against seconds per action, trained for equal CPU time.

Usage: python bench/pareto.py LOGS FOLDER [--minutes 20] [--sizes NAME ...] [--tasks reach push]
[--episodes 20] [--seed 2]. Every size is trained for the same minutes on one thread, of which its
number of steps follows, and then plans with the task's effort "fast".
Stopped at any time, it goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from cases import Case
from workloads import training_step

from worldmodel.checkpoint import Checkpoint, load
from worldmodel.commands.options import parse
from worldmodel.envs.benchmark import BenchmarkConfig, benchmark
from worldmodel.envs.suite import SUITES
from worldmodel.model import ModelConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.report.table import Cell, Table
from worldmodel.training.curriculum import ScheduledSampling
from worldmodel.training.run_folder import RunFolder
from worldmodel.training.train import TrainConfig, train

MOVING_WEIGHT = 5.0
"""Of all sizes, see `OptimizerConfig`."""


def _predrnn(layers: int, hidden: int, patch: int) -> PredRNNConfig:
    return PredRNNConfig(
        layers=layers, hidden=hidden, kernel=3, patch=patch, bias=True, residual=True
    )


SIZES: Mapping[str, ModelConfig] = {
    "predrnn 3x40, patch 4": _predrnn(3, 40, 4),
    "predrnn 2x40, patch 4": _predrnn(2, 40, 4),
    "predrnn 3x24, patch 4": _predrnn(3, 24, 4),
    "predrnn 3x64, patch 8": _predrnn(3, 64, 8),
    "predrnn 3x96, patch 8": _predrnn(3, 96, 8),
    "mode-rnn 3x48, patch 4": ModeRNNConfig(layers=3, hidden=48, kernel=1, residual=True),
}


def steps_within(minutes: float, config: ModelConfig) -> int:
    """Training steps that fit into some CPU minutes, from the time of three."""
    step = training_step(
        Case(config, batch=8, length=12, candidates=1, horizon=1), "bf16", torch.device("cpu")
    )
    step()
    begun = time.process_time()
    for _ in range(3):
        step()
    return round(60 * minutes / ((time.process_time() - begun) / 3))


def trained(model: ModelConfig, logs: str, folder: Path, minutes: float, seed: int) -> Checkpoint:
    run = RunFolder(folder)
    if not run.checkpoint.exists():
        shipped = parse(
            TrainConfig,
            "train",
            ["--config", "tabletop-predrnn", "--data.path", logs, "--output", str(folder)],
        )
        config = replace(shipped, model=model, seed=seed, threads=1)
        steps = _steps(folder, minutes, config)
        config = replace(
            config,
            steps=steps,
            curriculum=ScheduledSampling(rate=2 / steps, stop=steps // 2),
            optimizer=replace(config.optimizer, moving_weight=MOVING_WEIGHT),
            validate_every=steps,
        )
        train(config, resume=run.state.exists())
    return load(run.checkpoint)


def _steps(folder: Path, minutes: float, config: TrainConfig) -> int:
    """Measured once, so that a run goes on with the number it began with."""
    note = folder.with_name(f"{folder.name}.steps")
    if not note.exists():
        note.write_text(str(steps_within(minutes, config.model)))
    return int(note.read_text())


def rows(options: argparse.Namespace) -> Iterator[dict[str, Cell]]:
    for name in options.sizes:
        folder = options.folder / name.replace(", ", "-").replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        model = SIZES[name]
        checkpoint = trained(model, options.logs, folder / "run", options.minutes, options.seed)
        for task in options.tasks:
            config = BenchmarkConfig(
                task=task,
                contestants=("model",),
                episodes=options.episodes,
                seed=options.seed,
                films=0,
                planning=SUITES["tabletop"].task(task).at("fast"),
            )
            names = checkpoint.card.action_names
            played = benchmark(config, folder / task, checkpoint.model, names)
            steps = checkpoint.card.steps
            yield from (
                {"size": name, "steps": steps, "task": task, **row} for row in played.rows()
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--tasks", nargs="+", default=["reach", "push"])
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2)
    torch.set_num_threads(1)
    print(Table.of(list(rows(parser.parse_args()))).markdown())


if __name__ == "__main__":
    main()
