"""`worldmodel plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import torch

from worldmodel.checkpoint import Checkpoint, load
from worldmodel.commands.options import parse
from worldmodel.envs.benchmark import BenchmarkConfig, benchmark
from worldmodel.envs.scores import Benchmark
from worldmodel.envs.tabletop import ACTION_NAMES
from worldmodel.errors import InputError
from worldmodel.output_folder import check_writable
from worldmodel.report.table import Table


@final
@dataclass(frozen=True)
class PlanConfig:
    """Visual foresight in a tabletop task.

    Attributes:
        output: Folder of `benchmark.json` and the films; a stopped run continues there.
        checkpoint: Folder of a checkpoint; or give `pretrained`.
        pretrained: Name of a checkpoint that ships with the package.
        benchmark: Task, episodes, contestants and planner.
        threads: CPU threads; 0 leaves torch's choice.
    """

    output: str = "runs/plan"
    checkpoint: str | None = None
    pretrained: str | None = None
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    threads: int = 0


def run(arguments: Sequence[str]) -> None:
    """Play the episodes and print the table."""
    config = parse(PlanConfig, "plan", arguments)
    check_writable(Path(config.output))
    if config.threads:
        torch.set_num_threads(config.threads)
    if (config.checkpoint is None) == (config.pretrained is None):
        raise InputError("expected either --checkpoint FOLDER or --pretrained NAME")
    checkpoint = load(config.checkpoint or str(config.pretrained))
    played = plan(checkpoint, config.benchmark, Path(config.output))
    print(Table.of(played.rows()).markdown())
    print(f"written to {config.output}")


def plan(checkpoint: Checkpoint, config: BenchmarkConfig, folder: Path) -> Benchmark:
    """Play all episodes of a benchmark with a trained model.

    Raises:
        InputError: The checkpoint was trained on another action space or stride.
    """
    checkpoint.check_actions(ACTION_NAMES[:2] if config.planar else ACTION_NAMES)
    if checkpoint.card.stride != 1:
        raise InputError(
            f"checkpoint: expected a model of single control steps, "
            f"got one of {checkpoint.card.stride} recorded frames per step"
        )
    return benchmark(config, folder, checkpoint.model)
