"""`worldmodel train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from worldmodel.commands.options import parse, taken
from worldmodel.output_folder import read_note
from worldmodel.training.run_folder import RunFolder
from worldmodel.training.train import TrainConfig, train

RESUME = "folder of a run that was stopped, to go on with; it knows its options"


def run(arguments: Sequence[str]) -> None:
    """Train, or go on with a run, and say where the checkpoint is."""
    root, options = taken("resume", arguments)
    if root is None:
        config = parse(TrainConfig, "train", options, beside={"resume": RESUME})
        print(f"checkpoint: {train(config)}")
        return
    folder = RunFolder(Path(root))
    folder.check_resumable()
    known = read_note(folder.options) | {"output": root}
    config = parse(TrainConfig, "train", options, known=known)
    before = folder.saved_step()
    checkpoint = train(config, resume=True)
    if before == config.steps:
        print(f"all {before} steps had been taken already")
    print(f"checkpoint: {checkpoint}")
