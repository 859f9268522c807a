"""The folder of a training run: where its parts are, and which run may write there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, final

import torch

from worldmodel.checkpoint import CHECKPOINT
from worldmodel.data.clips.splits import Split, load_split
from worldmodel.errors import InputError
from worldmodel.output_folder import OutputFolder

FREE = {
    "accelerator",
    "checkpointing",
    "compile",
    "data.cache",
    "data.disk_cache",
    "data.path",
    "data.workers",
    "devices",
    "output",
    "stored",
    "threads",
}
"""Options that may change when a run goes on."""


@final
@dataclass(frozen=True)
class RunFolder:
    """What a run leaves behind.

    Attributes:
        root: The folder; TensorBoard's files are in it too.
    """

    root: Path

    @property
    def checkpoint(self) -> Path:
        """The trained model."""
        return self.root / CHECKPOINT

    @property
    def state(self) -> Path:
        """The last state from which the run can go on."""
        return self.root / "resume" / "last.ckpt"

    @property
    def strips(self) -> Path:
        """Pictures of validation clips."""
        return self.root / "strips"

    @property
    def split(self) -> Path:
        """Parts of the recordings."""
        return self.root / "split.json"

    @property
    def recordings(self) -> Path:
        """Digest of the recordings."""
        return self.root / "recordings.sha256"

    @property
    def options(self) -> Path:
        """Options of the run, as `worldmodel train --config` takes them."""
        return self.root / "run.yaml"

    def checked(self, config: Any, resume: bool) -> OutputFolder:
        """The folder, if this run may begin there, or go on; nothing is written yet.

        Args:
            config: Options of the run, a dataclass.
            resume: Whether it goes on from a saved state.

        Raises:
            InputError: The folder holds a run already, or none to go on with, or one with other
                options, or something else.
        """
        if resume:
            self.check_resumable()
        elif self.state.exists() or self.checkpoint.exists():
            raise InputError(
                f"output: {self.root} holds an earlier run; choose another folder, "
                f"or go on with it: worldmodel train --resume {self.root}"
            )
        return OutputFolder.checked(self.root, "train", config, FREE, self.options.name)

    def check_resumable(self) -> None:
        """Refuse a folder without a run to go on with.

        Raises:
            InputError: Names the missing file.
        """
        for path in (self.state, self.options, self.recordings):
            if not path.is_file():
                raise InputError(f"resume: {self.root} holds no saved state ({path} is missing)")

    def begin(self, split: Split, digest: str) -> None:
        """Write down which recordings there are, in which parts."""
        split.save(self.split)
        self.recordings.write_text(digest + "\n")

    def check_recordings(self, split: Split, digest: str) -> None:
        """Refuse to go on with other recordings.

        Raises:
            InputError: The recordings or their parts are not those that the run began with.
        """
        if load_split(self.split) != split or self.recordings.read_text().strip() != digest:
            raise InputError(
                f"resume: the recordings are not those of {self.split}, with which the run began"
            )

    def saved_step(self) -> int:
        """Optimiser steps before the saved state.

        Raises:
            InputError: The state is damaged.
        """
        try:
            state = torch.load(self.state, map_location="cpu", weights_only=True)
            return int(state["global_step"])
        except (RuntimeError, EOFError, UnpicklingError, KeyError) as error:
            raise InputError(f"resume: {self.state} is damaged ({type(error).__name__})") from error
