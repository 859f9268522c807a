"""`worldmodel train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from worldmodel.commands.options import check_output, parse
from worldmodel.training.train import TrainConfig, train


def run(arguments: Sequence[str]) -> None:
    """Train and say where the checkpoint is."""
    config = parse(TrainConfig, "train", arguments)
    check_output(Path(config.output))
    print(f"checkpoint: {train(config)}")
