"""The recordings of a training run: which, in which part, as which clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, final

import lightning

from worldmodel.data.episodes import EpisodeSource
from worldmodel.data.loading import ClipLoader, training_loader, validation_loader
from worldmodel.data.robonet import RoboNet
from worldmodel.data.splits import Part, Split
from worldmodel.data.windows import Windows, WindowShape


@final
@dataclass(frozen=True)
class DataConfig:
    """Which recordings, and how they become clips.

    Attributes:
        path: Folder of RoboNet HDF5 files, or one file.
        camera: Index of the camera, or "all".
        window: Length, stride and image size of the clips.
        context: Frames that are given; the rest is predicted.
        batch_size: Clips per optimiser step, over all devices.
        validation: Fraction of the recordings to validate on.
        test: Fraction of the recordings to keep away from training and validation.
        workers: Processes that read; 0 reads in the training process.
        cache: Resized frames that each reading process keeps, in MiB.
    """

    path: str
    camera: int | Literal["all"] = 0
    window: WindowShape = field(default_factory=WindowShape)
    context: int = 2
    batch_size: int = 8
    validation: float = 0.1
    test: float = 0.1
    workers: int = 0
    cache: int = 1024


def open_source(data: DataConfig) -> EpisodeSource:
    """The recordings that a configuration names.

    Raises:
        InputError: They are missing or damaged.
    """
    return RoboNet(data.path, camera=data.camera)


def held_out(
    source: EpisodeSource, split: Split, part: Part, data: DataConfig, rank: int = 0, ranks: int = 1
) -> ClipLoader:
    """Windows of a part's recordings that share no frame, each once, in order.

    Raises:
        InputError: The part has no recording that is long enough.
    """
    windows = Windows(source, data.window, split.episodes(source, part), hop=data.window.span)
    return validation_loader(windows, data.batch_size, rank=rank, world_size=ranks)


@final
class Recordings(lightning.LightningDataModule):
    """Hands each device its share of the batches `start` to `stop`.

    Args:
        source: The recordings.
        split: Their parts.
        data: How they become clips.
        seed: Of the batches.
        start: First batch.
        stop: Batch to end before.

    Raises:
        InputError: No recording of the training or validation part is long enough.
    """

    def __init__(
        self,
        source: EpisodeSource,
        split: Split,
        data: DataConfig,
        seed: int,
        start: int,
        stop: int,
    ) -> None:
        super().__init__()
        self._source, self._split, self._data = source, split, data
        self._seed, self._start, self._stop = seed, start, stop
        self._windows = Windows(
            source, data.window, split.episodes(source, "train"), cache_bytes=data.cache * 2**20
        )
        held_out(source, split, "validation", data)

    def train_dataloader(self) -> ClipLoader:
        """This rank's share of the batches."""
        rank, ranks = self._place()
        return training_loader(
            self._windows,
            self._data.batch_size,
            self._seed,
            stop=self._stop,
            start=self._start,
            workers=self._data.workers,
            rank=rank,
            world_size=ranks,
        )

    def val_dataloader(self) -> ClipLoader:
        """This rank's share of the validation windows."""
        return held_out(self._source, self._split, "validation", self._data, *self._place())

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
