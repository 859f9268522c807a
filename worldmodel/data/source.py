"""Recordings, whatever they are made of, that are read a few frames at a time."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from typing import final

import numpy as np

from worldmodel.data.reader import Reader
from worldmodel.data.recording import Frames, Recording, Signals, View
from worldmodel.errors import InputError, located


class Source(ABC):
    """Recordings with the same actions.

    Attributes:
        recordings: What is known of each, with those of its cameras that are to be used.
        sets: Number of recordings of each data set that it is made of, in order.
        timed: Whether parts should go by time rather than by name.
        origin: Where the recordings come from.
    """

    recordings: tuple[Recording, ...]
    sets: tuple[int, ...]
    timed: bool
    origin: str

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Every camera of every recording; those of one recording are neighbours."""
        return views_of(self.recordings)

    @abstractmethod
    def frames(self, index: int, steps: range) -> Frames:
        """Decode some pictures.

        Args:
            index: Of the view.
            steps: Consecutive frames, within the length of its camera.

        Raises:
            InputError: A picture is damaged; names file and recording.
        """

    @abstractmethod
    def signals(self, index: int) -> Signals:
        """Actions (T-1, A) and states (T, S) beside the frames of a view, as recorded.

        Raises:
            InputError: They are damaged; names file and recording.
        """

    def actions(self, index: int) -> np.ndarray:
        """Actions beside the frames of a view, float32 (T-1, A).

        Raises:
            InputError: They are damaged, or too large for that.
        """
        recorded = self.signals(index).actions
        with np.errstate(over="ignore"):
            actions = recorded.astype(np.float32)
        if not np.isfinite(actions).all():
            recording = self.views[index].recording
            raise InputError(
                f"actions up to {abs(recorded).max():g}",
                file=recording.file,
                recording=recording.name,
            )
        return actions

    def __len__(self) -> int:
        """Number of views."""
        return len(self.views)

    @property
    def digest(self) -> str:
        """Differs when a recording is another, or of another length."""
        known = [
            (recording.name, camera.name, camera.length, recording.action_names)
            for recording, camera in self.views
        ]
        return hashlib.sha256(repr(known).encode()).hexdigest()

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the A action dimensions, the same for all recordings."""
        return self.recordings[0].action_names

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """All domain names, sorted; a domain's label is its place here."""
        return tuple(sorted({recording.domain for recording in self.recordings}))


@final
class LogSource(Source):
    """Recordings that a reader finds in a folder.

    Args:
        reader: The format.
        recordings: From its scan; at least one, of the same action names.
        action_names: What to call the actions; they are zero-padded or cut to that number. As
            recorded if left out. What the format can infer beyond the recorded comes before zeros.
    """

    def __init__(
        self,
        reader: Reader,
        recordings: Sequence[Recording],
        action_names: tuple[str, ...] | None = None,
    ) -> None:
        self._reader, self._recorded = reader, views_of(recordings)
        names = recordings[0].action_names if action_names is None else action_names
        self.recordings = tuple(_with_actions(recording, names) for recording in recordings)
        self.sets, self.timed = (len(recordings),), reader.timed
        self.origin = reader.folder.where

    def frames(self, index: int, steps: range) -> Frames:
        """Decode some pictures of a view."""
        recording, camera = self._recorded[index]
        with located(recording.file, recording.name, camera.name):
            frames = self._reader.frames(recording, camera, steps)
            expected = (len(steps), camera.height, camera.width, camera.channels)
            if frames.pixels.shape != expected:
                raise InputError(f"expected pictures {expected}, got {frames.pixels.shape}")
        return frames

    def signals(self, index: int) -> Signals:
        """Actions and states beside the frames of a view."""
        recording, camera = self._recorded[index]
        with located(recording.file, recording.name):
            signals = self._reader.signals(recording, camera)
        width = len(self.action_names)
        missing = max(0, width - signals.actions.shape[1])
        return signals._replace(actions=np.pad(signals.actions[:, :width], ((0, 0), (0, missing))))


@final
class MixedSource(Source):
    """Several sources as one; recordings are called `SET/NAME`.

    Args:
        sources: By name of the data set.

    Raises:
        InputError: Their actions differ.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._parts = [
            (source, index) for source in sources.values() for index in range(len(source))
        ]
        self.recordings = tuple(
            replace(recording, name=f"{name}/{recording.name}")
            for name, source in sources.items()
            for recording in source.recordings
        )
        self.sets = tuple(size for source in sources.values() for size in source.sets)
        self.timed = all(source.timed for source in sources.values())
        self.origin = ", ".join(source.origin for source in sources.values())
        names = {name: source.action_names for name, source in sources.items()}
        if len(set(names.values())) > 1:
            raise InputError(
                "expected the same actions in all data sets, got "
                + "; ".join(
                    f"{name}: {', '.join(those) or 'none'}" for name, those in names.items()
                )
                + "; choose a number of actions to zero-pad or cut all to"
            )

    def frames(self, index: int, steps: range) -> Frames:
        """Decode some pictures of a view."""
        source, own = self._parts[index]
        with self._renamed(index):
            return source.frames(own, steps)

    def signals(self, index: int) -> Signals:
        """Actions and states beside the frames of a view."""
        source, own = self._parts[index]
        with self._renamed(index):
            return source.signals(own)

    @contextmanager
    def _renamed(self, index: int) -> Iterator[None]:
        """Let errors call the recording as it is called here."""
        try:
            yield
        except InputError as error:
            error.recording = self.views[index].recording.name
            raise


def views_of(recordings: Sequence[Recording]) -> tuple[View, ...]:
    """Every camera of every recording."""
    return tuple(
        View(recording, camera) for recording in recordings for camera in recording.cameras
    )


def recordings_of(source: Source) -> list[tuple[Recording, range]]:
    """Each recording, and the indices of its views."""
    counts = [len(recording.cameras) for recording in source.recordings]
    places = (
        range(end - count, end) for count, end in zip(counts, accumulate(counts), strict=True)
    )
    return list(zip(source.recordings, places, strict=True))


def _with_actions(recording: Recording, names: tuple[str, ...]) -> Recording:
    units = (*recording.action_units, *([""] * len(names)))[: len(names)]
    return replace(recording, action_names=names, action_units=units)
