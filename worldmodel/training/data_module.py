"""The clips of a training run, for Lightning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any, final

import lightning

from worldmodel.clip import Clip
from worldmodel.data.clips.config import DataConfig, held_out, part_windows
from worldmodel.data.clips.loading import ClipLoader, training_loader
from worldmodel.data.clips.splits import Split
from worldmodel.data.source import Source


@final
class ClipModule(lightning.LightningDataModule):
    """Hands each device its share of the batches `start` to `stop`.

    Args:
        source: The recordings.
        split: Their parts.
        data: How they become clips.
        seed: Of the batches.
        start: First batch.
        stop: Batch to end before.
        devices: Number of shares.
        validation_clips: Clips to validate on at most, over all recordings; all if left out.

    Attributes:
        channels: C of the frames.

    Raises:
        InputError: No recording of the training or validation part is long enough.
    """

    def __init__(
        self,
        source: Source,
        split: Split,
        data: DataConfig,
        seed: int,
        start: int,
        stop: int,
        devices: int = 1,
        validation_clips: int | None = None,
    ) -> None:
        super().__init__()
        self._source, self._split, self._data = source, split, data
        self._seed, self._start, self._stop = seed, start, stop
        self._validation_clips = validation_clips
        self._windows = part_windows(source, split, "train", data)
        self.channels = self._windows.channels
        held_out(source, split, "validation", data, ranks=devices)

    def train_dataloader(self) -> _RestOfRun:
        """This rank's share of the batches."""
        rank, ranks = self._place()
        batches = training_loader(
            self._windows,
            self._data.batch_size,
            self._seed,
            stop=self._stop,
            start=self._start,
            weights=self._data.weights,
            strict=self._data.strict,
            workers=self._data.workers,
            rank=rank,
            world_size=ranks,
        )
        return _RestOfRun(batches, self._stop)

    def val_dataloader(self) -> ClipLoader:
        """This rank's share of the validation windows."""
        rank, ranks = self._place()
        most = self._validation_clips
        return held_out(self._source, self._split, "validation", self._data, rank, ranks, most=most)

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)


@final
class _RestOfRun(Iterable[Clip], Sized):
    """The batches that are left of a run, as long as the whole run.

    Lightning goes on counting where it was and stops at the length.
    """

    def __init__(self, batches: ClipLoader, total: int) -> None:
        self._batches, self._total = batches, total

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[Clip]:
        return iter(self._batches)

    def state_dict(self) -> dict[str, Any]:
        """Nothing; having it tells Lightning that a resumed run gets the right batches."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore: the step alone says which batches are left."""
