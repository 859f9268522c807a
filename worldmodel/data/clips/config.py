"""Which recordings, in which part, as which clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Literal, final

import numpy as np

from worldmodel.clip import check_context
from worldmodel.data.clips.loading import ClipLoader, validation_loader
from worldmodel.data.clips.splits import (
    Split,
    split_as_published,
    split_by_domain,
    split_by_hash,
    split_by_list,
    split_by_time,
)
from worldmodel.data.clips.windows import Windows, WindowShape
from worldmodel.data.generators import Generator
from worldmodel.data.generators.source import GeneratedSource
from worldmodel.data.opening import CameraChoice, open_source
from worldmodel.data.recording import Part, Recording
from worldmodel.data.source import Source
from worldmodel.errors import InputError, check_at_least, check_one_of

SplitRule = Literal["auto", "published", "name", "time", "domain"]


@final
@dataclass(frozen=True)
class DataConfig:
    """Which recordings, and how they become clips.

    Attributes:
        path: Folder, file or URL of recordings; or a list of them.
        generator: Makes clips of moving objects instead of reading recordings.
        format: Name of the recordings' format; found out if left out.
        camera: Number or name of the camera, or a list of them, or "all".
        action_width: Number of actions to zero-pad or cut all recordings' to; None leaves them and
            skips recordings whose actions differ from most.
        weights: How often clips are drawn from each path, relative to the others; as often as it
            has clips if left out.
        strict: Refuse recordings that are damaged or missing instead of going on without them.
        window: Length, stride, size and color of the clips.
        context: Frames that are given; the rest is predicted.
        batch_size: Clips per optimiser step, over all devices.
        split: How recordings are divided: as "published"; by a hash of the "name"; by "time", the
            latest for testing; whole "domain"s; "auto" takes the first that the recordings allow
            of published, time (for series such as radar) and name.
        validation: Fraction of the recordings to validate on.
        test: Fraction of the recordings to keep away from training and validation.
        test_list: Text file with names of test recordings, one per line, instead of `split`.
        validation_domains: Domains to validate on, if split by domain; if left out, recordings of
            the training domains are validated on.
        test_domains: Domains to test on, if split by domain.
        workers: Processes that read; 0 reads in the training process, which always reads what it
            validates on.
        cache: Resized frames that each reading process keeps in memory, in MiB.
        disk_cache: Resized frames to keep on disk for all processes, runs and data sets, in MiB; 0
            keeps none.

    Raises:
        InputError: A number is too small, the context leaves nothing to predict, or options
            contradict each other.
    """

    path: str | list[str] | None = None
    generator: Generator | None = None
    format: str | None = None
    camera: CameraChoice = 0
    action_width: int | None = None
    weights: list[float] | None = None
    strict: bool = False
    window: WindowShape = field(default_factory=WindowShape)
    context: int = 2
    batch_size: int = 8
    split: SplitRule = "auto"
    validation: float = 0.1
    test: float = 0.1
    test_list: str | None = None
    validation_domains: list[str] = field(default_factory=list)
    test_domains: list[str] = field(default_factory=list)
    workers: int = 0
    cache: int = 1024
    disk_cache: int = 0

    def __post_init__(self) -> None:
        check_context(self.context, self.window.length)
        check_at_least(1, self, "batch_size")
        check_at_least(0, self, "workers", "cache", "disk_cache")
        check_one_of(self, "split", SplitRule)
        if bool(self.paths) == (self.generator is not None):
            raise InputError(
                "data: expected either recordings (--data.path) or a generator (--data.generator)"
            )
        if (self.split == "domain") != bool(self.test_domains):
            raise InputError(
                "data.split: 'domain' goes with test_domains, got "
                f"{self.split!r} with {self.test_domains}"
            )
        if self.camera == []:
            raise InputError("data.camera: expected at least one, got none")
        if self.weights is not None and len(self.weights) != len(self.paths):
            raise InputError(
                f"data.weights: expected one per path, got {self.weights} for {len(self.paths)}"
            )

    @property
    def paths(self) -> list[str]:
        """All paths."""
        return [self.path] if isinstance(self.path, str) else list(self.path or [])

    @property
    def title(self) -> str:
        """What the data are called in a few words."""
        if self.generator is not None:
            return self.generator.title
        return ", ".join(PurePath(path).name for path in self.paths)


def open_data(data: DataConfig) -> Source:
    """The recordings that a configuration names.

    Raises:
        InputError: They are missing or damaged.
    """
    if data.generator is not None:
        return GeneratedSource(data.generator)
    return open_source(data.paths, data.format, data.camera, data.strict, data.action_width)


def split_data(source: Source, data: DataConfig) -> Split:
    """The parts that a configuration asks for; each data set is split for itself.

    Raises:
        InputError: The recordings do not allow that split, or leave nothing to train on.
    """
    stops = np.cumsum(source.sets).tolist()
    splits = [
        _split_set(source.recordings[start:stop], source.timed, data)
        for start, stop in pairwise([0, *stops])
    ]
    return splits[0] if len(splits) == 1 else Split.joined(splits)


def _split_set(recordings: Sequence[Recording], timed: bool, data: DataConfig) -> Split:
    names = [recording.name for recording in recordings]
    if data.test_list is not None:
        return split_by_list(names, _lines(data.test_list), data.validation)
    if data.split == "domain":
        return split_by_domain(
            recordings, data.validation_domains, data.test_domains, data.validation
        )
    published = all(recording.part for recording in recordings)
    if data.split == "published" or (data.split == "auto" and published):
        return split_as_published(recordings, data.validation, data.test)
    known = not any(math.isnan(recording.start) for recording in recordings)
    if data.split == "time" or (data.split == "auto" and timed and known):
        return split_by_time(recordings, data.validation, data.test)
    return split_by_hash(names, data.validation, data.test)


def held_out(
    source: Source,
    split: Split,
    part: Part,
    data: DataConfig,
    rank: int = 0,
    ranks: int = 1,
    hop: int | None = None,
    most: int | None = None,
    workers: int = 0,
) -> ClipLoader:
    """Windows of a part's recordings, each once, in order; `most` of them, spread evenly.

    They start `hop` recorded frames apart; if left out, so far that they share no frame.

    Raises:
        InputError: The part has no recording that is long enough, or fewer clips than ranks.
    """
    windows = part_windows(source, split, part, data, hop=hop or data.window.span)
    if len(windows) < ranks:
        raise InputError(
            f"{part} part of the recordings: expected clips for {ranks} devices, got {len(windows)}"
        )
    return validation_loader(
        windows,
        data.batch_size // ranks,
        workers=workers,
        strict=data.strict,
        rank=rank,
        world_size=ranks,
        most=most,
    )


def part_windows(
    source: Source, split: Split, part: Part, data: DataConfig, hop: int = 1
) -> Windows:
    """Windows of a part's recordings, `hop` frames apart.

    Raises:
        InputError: The part has no recording that is long enough.
    """
    spans = split.spans(source, part)
    memory, disk = data.cache * 2**20, data.disk_cache * 2**20
    try:
        return Windows(source, data.window, spans, hop, memory, disk)
    except InputError as error:
        raise InputError(f"{part} part of the recordings: {error}") from error


def _lines(path: str) -> list[str]:
    try:
        lines = Path(path).read_text().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"data.test_list: expected a text file, got {path} ({error})") from error
    return [line.strip() for line in lines if line.strip()]
