"""The recordings of a training run: which, in which part, as which clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field
from typing import Any, Literal, final

import lightning

from worldmodel.clip import Clip
from worldmodel.data.episodes import EpisodeSource
from worldmodel.data.loading import ClipLoader, training_loader, validation_loader
from worldmodel.data.robonet import RoboNet
from worldmodel.data.splits import Part, Split
from worldmodel.data.windows import Windows, WindowShape
from worldmodel.errors import InputError, check_at_least
from worldmodel.rollout import check_context


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

    Raises:
        InputError: A number is too small, or the context leaves nothing to predict.
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

    def __post_init__(self) -> None:
        check_context(self.context, self.window.length)
        check_at_least(1, self, "batch_size")
        check_at_least(0, self, "workers", "cache")


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
        InputError: The part has no recording that is long enough, or fewer clips than ranks.
    """
    windows = _windows(source, split, part, data, hop=data.window.span)
    if len(windows) < ranks:
        raise InputError(
            f"{part} part of the recordings: expected clips for {ranks} devices, got {len(windows)}"
        )
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
        devices: Number of shares.

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
        devices: int = 1,
    ) -> None:
        super().__init__()
        self._source, self._split, self._data = source, split, data
        self._seed, self._start, self._stop = seed, start, stop
        self._windows = _windows(source, split, "train", data)
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
            workers=self._data.workers,
            rank=rank,
            world_size=ranks,
        )
        return _RestOfRun(batches, self._stop)

    def val_dataloader(self) -> ClipLoader:
        """This rank's share of the validation windows."""
        return held_out(self._source, self._split, "validation", self._data, *self._place())

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


def _windows(
    source: EpisodeSource, split: Split, part: Part, data: DataConfig, hop: int = 1
) -> Windows:
    episodes = split.episodes(source, part)
    try:
        return Windows(source, data.window, episodes, hop, cache_bytes=data.cache * 2**20)
    except InputError as error:
        raise InputError(f"{part} part of the recordings: {error}") from error
