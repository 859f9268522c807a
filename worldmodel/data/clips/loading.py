"""Batches of clips from windows, in an order that depends only on counters."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import NamedTuple, final

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from worldmodel.clip import Clip
from worldmodel.data.clips.windows import Window, Windows
from worldmodel.data.recording import Flaw
from worldmodel.errors import InputError

_MOST_DAMAGED = 100
"""Damaged windows in a row after which there can be no good one."""

_log = logging.getLogger(__name__)


@final
class TrainingBatches(Sampler[list[int]]):
    """Windows of batches `start` to `stop`, drawn with replacement.

    Batch k depends on the seed and on k alone: a run that starts at k continues an uninterrupted
    one, and the shares of all ranks together are the batch of a single process.

    Args:
        sizes: Number of windows of each data set, in order.
        batch_size: Windows in a batch, over all ranks; a multiple of `world_size`.
        seed: At least 0.
        start: First batch.
        stop: Batch to end before.
        weights: How often to draw from each data set, of any sum; as often as it has windows if
            left out.
        rank: Which share of each batch to yield.
        world_size: Number of shares.

    Raises:
        InputError: The batch cannot be shared equally, the seed is negative, or the weights are
            not one positive number per data set.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        batch_size: int,
        seed: int,
        stop: int,
        start: int = 0,
        weights: Sequence[float] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1 or batch_size % world_size:
            raise InputError(
                f"expected a batch size that {world_size} processes can share, got {batch_size}"
            )
        if seed < 0:
            raise InputError(f"expected a seed of at least 0, got {seed}")
        self._ends = np.cumsum(sizes)
        self._weights = None if weights is None else _shares(weights, sizes)
        self._batch_size, self._seed = batch_size, seed
        self._steps = range(start, stop)
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            batch = self._batch(np.random.default_rng((self._seed, step)))
            yield batch[self._rank :: self._world_size].tolist()

    def _batch(self, draw: np.random.Generator) -> np.ndarray:
        if self._weights is None:
            return draw.integers(self._ends[-1], size=self._batch_size)
        sets = draw.choice(len(self._weights), size=self._batch_size, p=self._weights)
        starts = np.concatenate([[0], self._ends])
        return draw.integers(starts[sets], self._ends[sets])


class _Sample(NamedTuple):
    """A window, or a batch of them, and what was damaged on the way to it.

    Without a window, `hopeless` says whether another was sought in vain.
    """

    window: Window | None
    flaws: list[Flaw]
    hopeless: bool = False


@final
class _Tolerant(Dataset[_Sample]):
    """Windows, where damage is an answer.

    Args:
        windows: What to read.
        replace: Put another window, which depends on the damaged one's index only, in its place.
    """

    def __init__(self, windows: Windows, replace: bool) -> None:
        self._windows, self._replace = windows, replace

    def __getitem__(self, index: int) -> _Sample:
        flaws: list[Flaw] = []
        draw = np.random.default_rng(index)
        while len(flaws) < _MOST_DAMAGED:
            try:
                return _Sample(self._windows[index], flaws)
            except InputError as error:
                flaws.append(Flaw.of(error))
            if not self._replace:
                break
            index = int(draw.integers(len(self._windows)))
        return _Sample(None, flaws, hopeless=self._replace)


@final
class ClipLoader(Iterable[Clip], Sized):
    """Reads batches of windows, in processes of their own if asked, and hands out clips.

    Frames cross from the workers as bytes and become floating point here. Workers are spawned
    and stay alive between iterations. What is damaged is told once per recording.

    Args:
        windows: What to read.
        batches: Indices of each batch.
        workers: Number of processes; 0 reads in this one.
        strict: Refuse damaged recordings instead of going on without them.
        replace: Put other windows in the place of damaged ones, so that all batches are full.

    Attributes:
        flaws: What was damaged, by file and recording.
    """

    def __init__(
        self,
        windows: Windows,
        batches: Sampler[list[int]],
        workers: int = 0,
        strict: bool = False,
        replace: bool = False,
    ) -> None:
        self.flaws: dict[tuple[str, str], Flaw] = {}
        self._strict = strict
        self._loader: DataLoader[_Sample] = DataLoader(
            _Tolerant(windows, replace),
            batch_sampler=batches,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            worker_init_fn=_ignore_interrupt,
            collate_fn=_stacked,
            generator=torch.Generator(),  # or each iteration would draw from the global one
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Clip]:
        """Yield the batches in order.

        Raises:
            InputError: A recording is damaged and `strict` was asked for, or all are.
        """
        for window, flaws, hopeless in self._loader:
            for flaw in flaws:
                self._tell(flaw)
            if hopeless:
                raise InputError(f"no undamaged recording found, at last {flaws[-1]}")
            if window is not None:
                yield to_clip(window)

    def _tell(self, flaw: Flaw) -> None:
        if self._strict:
            raise flaw.error
        if (flaw.file, flaw.recording) not in self.flaws:
            self.flaws[flaw.file, flaw.recording] = flaw
            count = len(self.flaws)
            _log.warning("skipped %s (%d damaged recordings so far)", flaw, count)


def training_loader(
    windows: Windows,
    batch_size: int,
    seed: int,
    stop: int,
    start: int = 0,
    weights: Sequence[float] | None = None,
    workers: int = 0,
    strict: bool = False,
    rank: int = 0,
    world_size: int = 1,
) -> ClipLoader:
    """Clips of batches `start` to `stop`; see `TrainingBatches` and `ClipLoader`."""
    batches = TrainingBatches(
        windows.sizes, batch_size, seed, stop, start, weights, rank, world_size
    )
    return ClipLoader(windows, batches, workers, strict, replace=True)


def validation_loader(
    windows: Windows,
    batch_size: int,
    workers: int = 0,
    strict: bool = False,
    rank: int = 0,
    world_size: int = 1,
    most: int | None = None,
) -> ClipLoader:
    """Each window once, in order; batches at the end, and around damage, may be smaller.

    Args:
        windows: Give them `hop=shape.span` so that no frame counts twice.
        batch_size: Windows in a batch of this rank.
        workers: Number of processes; 0 reads in this one.
        strict: Refuse damaged recordings instead of going on without them.
        rank: Which share of the windows to read.
        world_size: Number of shares.
        most: Windows to read, over all ranks, spread evenly; all if left out.
    """
    count = len(windows) if most is None else min(most, len(windows))
    chosen = np.linspace(0, len(windows) - 1, count).round().astype(int).tolist()
    share = chosen[rank::world_size]
    return ClipLoader(windows, BatchSampler(share, batch_size, drop_last=False), workers, strict)


def to_clip(window: Window) -> Clip:
    """Pixels from bytes to [0, 1]."""
    frames = window.frames.to(torch.get_default_dtype()) / 255
    missing = window.missing if window.missing.numel() else None
    return Clip.checked(frames, window.actions, window.domain, missing=missing)


def _stacked(samples: Sequence[_Sample]) -> _Sample:
    """A batch of the windows that there are."""
    windows = [sample.window for sample in samples if sample.window is not None]
    flaws = [flaw for sample in samples for flaw in sample.flaws]
    hopeless = any(sample.hopeless for sample in samples)
    if not windows or hopeless:
        return _Sample(None, flaws, hopeless)
    frames, actions, domain, missing = zip(*windows, strict=True)
    if any(hidden.numel() for hidden in missing):
        missing = [
            hidden if hidden.numel() else torch.zeros_like(pixels[:, :1], dtype=torch.bool)
            for hidden, pixels in zip(missing, frames, strict=True)
        ]
    return _Sample(Window(*map(torch.stack, (frames, actions, domain, missing))), flaws)


def _shares(weights: Sequence[float], sizes: Sequence[int]) -> np.ndarray:
    shares = np.asarray(weights, np.float64)
    if shares.shape != (len(sizes),) or not (np.isfinite(shares).all() and (shares > 0).all()):
        raise InputError(f"expected {len(sizes)} positive weights, one per data set, got {weights}")
    if empty := [number for number, size in enumerate(sizes) if size == 0]:
        raise InputError(f"data set {empty[0]} (from 0) has no window to draw with its weight")
    return shares / shares.sum()


def _ignore_interrupt(worker: int) -> None:
    """Leave Ctrl-C, which the terminal sends to every process, to the main one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
