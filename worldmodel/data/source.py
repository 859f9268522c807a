"""A set of episodes, whatever it is made of, that is read a few frames at a time."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np

from worldmodel.data.reader import Reader
from worldmodel.data.recording import Frames, Signals, View
from worldmodel.errors import InputError


class EpisodeSource(ABC):
    """Episodes with the same actions, each one camera's view of one recording.

    Attributes:
        views: What is known of each episode; those of one recording are neighbours.
        sets: Number of episodes of each data set that it is made of, in order.
        timed: Whether parts should go by time rather than by name.
        origin: Where the episodes come from.
    """

    views: tuple[View, ...]
    sets: tuple[int, ...]
    timed: bool
    origin: str

    @abstractmethod
    def frames(self, index: int, steps: range) -> Frames:
        """Decode some pictures of an episode.

        Args:
            index: Of the episode.
            steps: Consecutive frames, within its length.

        Raises:
            InputError: A picture is damaged; names file, episode and frame.
        """

    @abstractmethod
    def signals(self, index: int) -> Signals:
        """Actions (T-1, A) and states (T, S) of an episode, as recorded.

        Raises:
            InputError: They are damaged; names file and episode.
        """

    @abstractmethod
    def version(self, index: int) -> str:
        """Something that differs when what is read would."""

    def actions(self, index: int) -> np.ndarray:
        """Actions of an episode, float32 (T-1, A).

        Raises:
            InputError: They are damaged, or too large for that.
        """
        recorded = self.signals(index).actions
        with np.errstate(over="ignore"):
            actions = recorded.astype(np.float32)
        if not np.isfinite(actions).all():
            view = self.views[index]
            raise InputError(f"{view.file}: {view.name}: actions up to {abs(recorded).max():g}")
        return actions

    def __len__(self) -> int:
        return len(self.views)

    @property
    def digest(self) -> str:
        """Differs when a recording is another, or of another length."""
        known = [(view.name, view.camera, view.length, view.action_names) for view in self.views]
        return hashlib.sha256(repr(known).encode()).hexdigest()

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the A action dimensions, the same for all episodes."""
        return self.views[0].action_names

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """All domain names, sorted; a domain's label is its place here."""
        return tuple(sorted({view.domain for view in self.views}))


@final
class LogSource(EpisodeSource):
    """Episodes that a reader finds in a folder.

    Args:
        reader: The format.
        views: From its scan; at least one, of the same action names.
        versions: One per view; see `version`.
        action_names: What to call the actions; they are zero-padded or cut to that number. As
            recorded if left out. What the format can infer beyond the recorded comes before zeros.
    """

    def __init__(
        self,
        reader: Reader,
        views: Sequence[View],
        versions: Sequence[str],
        action_names: tuple[str, ...] | None = None,
    ) -> None:
        self._reader, self._versions, self._recorded = reader, tuple(versions), tuple(views)
        names = views[0].action_names if action_names is None else action_names
        self.views = tuple(_with_actions(view, names) for view in views)
        self.sets, self.timed = (len(views),), reader.timed
        self.origin = reader.folder.where

    def frames(self, index: int, steps: range) -> Frames:
        """Decode some pictures of an episode."""
        view = self._recorded[index]
        frames = self._reader.frames(view, steps)
        expected = (len(steps), view.height, view.width, view.channels)
        if frames.pixels.shape != expected:
            raise InputError(
                f"{view.file}: {view.name}: expected pictures {expected}, got {frames.pixels.shape}"
            )
        return frames

    def signals(self, index: int) -> Signals:
        """Actions and states of an episode."""
        signals = self._reader.signals(self._recorded[index])
        width = len(self.views[index].action_names)
        missing = max(0, width - signals.actions.shape[1])
        return signals._replace(actions=np.pad(signals.actions[:, :width], ((0, 0), (0, missing))))

    def version(self, index: int) -> str:
        """Differs when the files do."""
        return self._versions[index]


@final
class MixedSource(EpisodeSource):
    """Several sources as one; recordings are called `SET/NAME`.

    Args:
        sources: By name of the data set.

    Raises:
        InputError: Their actions differ.
    """

    def __init__(self, sources: dict[str, EpisodeSource]) -> None:
        self._parts = [
            (source, index) for source in sources.values() for index in range(len(source))
        ]
        self.views = tuple(
            replace(view, name=f"{name}/{view.name}")
            for name, source in sources.items()
            for view in source.views
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
        """Decode some pictures of an episode."""
        source, own = self._parts[index]
        return source.frames(own, steps)

    def signals(self, index: int) -> Signals:
        """Actions and states of an episode."""
        source, own = self._parts[index]
        return source.signals(own)

    def version(self, index: int) -> str:
        """Differs when the files do."""
        source, own = self._parts[index]
        return source.version(own)


def _with_actions(view: View, names: tuple[str, ...]) -> View:
    units = (*view.action_units, *([""] * len(names)))[: len(names)]
    return replace(view, action_names=names, action_units=units)
