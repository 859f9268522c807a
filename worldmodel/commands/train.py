"""`worldmodel train`."""

from __future__ import annotations

from collections.abc import Sequence

from worldmodel.commands.options import parse
from worldmodel.training.train import TrainConfig, train


def run(arguments: Sequence[str]) -> None:
    """Train and say where the checkpoint is."""
    print(f"checkpoint: {train(parse(TrainConfig, 'train', arguments))}")
