"""`worldmodel plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from worldmodel.checkpoint import Checkpoint, load
from worldmodel.commands.options import parse, peek
from worldmodel.envs.benchmark import BenchmarkConfig, benchmark
from worldmodel.envs.scores import Benchmark
from worldmodel.envs.suite import SUITES
from worldmodel.errors import InputError, check_at_least
from worldmodel.report.table import Table
from worldmodel.settings import plain
from worldmodel.training.run_folder import RunFolder


@final
@dataclass(frozen=True)
class PlanConfig(BenchmarkConfig):
    """Visual foresight in a task; see `BenchmarkConfig` for what is played.

    Attributes:
        model: Folder of a training run or a checkpoint, or name of one that ships with the package;
            needed unless `model` is no contestant.
        output: Folder of the finished episodes and the films, where a stopped game goes on; of a
            training run its `plan-SUITE-TASK` if left out.
        threads: CPU threads; 0 leaves torch's choice.

    Raises:
        InputError: An option is out of range.
    """

    model: str | None = None
    output: str = "runs/plan"
    threads: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(0, self, "threads")


def run(arguments: Sequence[str]) -> None:
    """Play the episodes and print the table.

    Raises:
        InputError: The model is missing or does not fit the task, or the folder holds something
            else.
    """
    config = read(arguments)
    if config.threads:
        torch.set_num_threads(config.threads)
    played = plan(config, None if config.model is None else load(config.model))
    print(Table.of(played.rows()).markdown())
    print(f"written to {config.output}")


def read(arguments: Sequence[str]) -> PlanConfig:
    """Options of a game; what is not given is what is best for the task.

    Raises:
        InputError: See `worldmodel.commands.options.parse`.
    """
    leading = ["model"]
    asked = peek(PlanConfig, "plan", arguments, leading, "suite", "task", "model", "effort")
    suite, task = asked.get("suite", PlanConfig.suite), asked.get("task", PlanConfig.task)
    effort = asked.get("effort", PlanConfig.effort)
    known: dict[str, Any] = {"planning": plain(SUITES[suite].task(task).at(effort))}
    if "model" in asked and RunFolder(Path(asked["model"])).options.is_file():
        known["output"] = str(Path(asked["model"], f"plan-{suite}-{task}"))
    return parse(PlanConfig, "plan", arguments, leading, known)


def plan(config: PlanConfig, checkpoint: Checkpoint | None = None) -> Benchmark:
    """Play all episodes of a benchmark with a trained model.

    Raises:
        InputError: There is no model, or it was trained on another action space, stride or colors.
    """
    if "model" not in config.players:
        return benchmark(config, Path(config.output))
    if checkpoint is None:
        raise InputError("model: expected a training run, a checkpoint or a name, got none")
    if checkpoint.card.stride != 1:
        raise InputError(
            f"model: expected one of single control steps, "
            f"got one of {checkpoint.card.stride} recorded frames per step"
        )
    return benchmark(config, Path(config.output), checkpoint.model, checkpoint.card.action_names)
