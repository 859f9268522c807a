"""Batches of clips from windows, in an order that depends only on counters."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sized
from typing import final

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Sampler

from worldmodel.clip import Clip
from worldmodel.data.windows import Window, Windows
from worldmodel.errors import InputError


@final
class TrainingBatches(Sampler[list[int]]):
    """Windows of batches `start` to `stop`, drawn uniformly with replacement.

    Batch k depends on the seed and on k alone: a run that starts at k continues an uninterrupted
    one, and the shares of all ranks together are the batch of a single process.

    Args:
        windows: Number of windows to draw from.
        batch_size: Windows in a batch, over all ranks; a multiple of `world_size`.
        seed: At least 0.
        start: First batch.
        stop: Batch to end before.
        rank: Which share of each batch to yield.
        world_size: Number of shares.

    Raises:
        InputError: The batch cannot be shared equally, or the seed is negative.
    """

    def __init__(
        self,
        windows: int,
        batch_size: int,
        seed: int,
        stop: int,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1 or batch_size % world_size:
            raise InputError(
                f"expected a batch size that {world_size} processes can share, got {batch_size}"
            )
        if seed < 0:
            raise InputError(f"expected a seed of at least 0, got {seed}")
        self._windows, self._batch_size, self._seed = windows, batch_size, seed
        self._steps = range(start, stop)
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            draw = np.random.default_rng((self._seed, step))
            batch = draw.integers(self._windows, size=self._batch_size)
            yield batch[self._rank :: self._world_size].tolist()


@final
class ClipLoader(Iterable[Clip], Sized):
    """Reads batches of windows, in processes of their own if asked, and hands out clips.

    Frames cross from the workers as bytes and become floating point here. Workers are spawned
    and stay alive between iterations.

    Args:
        windows: What to read.
        batches: Indices of each batch.
        workers: Number of processes; 0 reads in this one.
    """

    def __init__(self, windows: Windows, batches: Sampler[list[int]], workers: int = 0) -> None:
        self._loader: DataLoader[Window] = DataLoader(
            windows,
            batch_sampler=batches,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            worker_init_fn=_ignore_interrupt,
            generator=torch.Generator(),  # or each iteration would draw from the global one
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Clip]:
        """Yield the batches in order.

        Raises:
            InputError: A recording is damaged.
        """
        try:
            for window in self._loader:
                yield to_clip(window)
        except InputError as error:
            raise InputError(_sentence(error)) from error


def training_loader(
    windows: Windows,
    batch_size: int,
    seed: int,
    stop: int,
    start: int = 0,
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> ClipLoader:
    """Clips of batches `start` to `stop`; see `TrainingBatches`."""
    batches = TrainingBatches(len(windows), batch_size, seed, stop, start, rank, world_size)
    return ClipLoader(windows, batches, workers)


def validation_loader(
    windows: Windows, batch_size: int, workers: int = 0, rank: int = 0, world_size: int = 1
) -> ClipLoader:
    """Each window once, in order; the last batch may be smaller.

    Args:
        windows: Give them `hop=shape.span` so that no frame counts twice.
        batch_size: Windows in a batch of this rank.
        workers: Number of processes; 0 reads in this one.
        rank: Which share of the windows to read.
        world_size: Number of shares.
    """
    share = range(rank, len(windows), world_size)
    return ClipLoader(windows, BatchSampler(share, batch_size, drop_last=False), workers)


def to_clip(window: Window) -> Clip:
    """Pixels from bytes to [0, 1]."""
    frames = window.frames.to(torch.get_default_dtype()) / 255
    return Clip.checked(frames, window.actions, window.domain)


def _ignore_interrupt(worker: int) -> None:
    """Leave Ctrl-C, which the terminal sends to every process, to the main one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _sentence(error: InputError) -> str:
    """The message without the worker's traceback that the loader puts before it."""
    return str(error).rsplit(f"{InputError.__name__}: ", 1)[-1].strip()
