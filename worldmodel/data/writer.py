"""What writes a data set in another format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, NamedTuple, Self, final

import numpy as np

from worldmodel.data.recording import Signals


class Film(NamedTuple):
    """The pictures of one camera, of which few are in memory at a time.

    Attributes:
        height: In pixels.
        width: In pixels.
        frames: Starts over at each call; T frames, uint8, each of shape (H, W, 3).
    """

    height: int
    width: int
    frames: Callable[[], Iterator[np.ndarray]]


@final
@dataclass(frozen=True)
class Recording:
    """One recording with all its cameras.

    Attributes:
        name: Unique within the data set.
        films: By name of the camera; all of T frames.
        signals: Actions (T-1, A) and states (T, S), float32 or float64.
        action_names: One per action dimension.
        action_units: One per action dimension, "" where unknown.
        state_names: One per state dimension.
        fps: Frames per second; 0 if unknown.
        domain: Laboratory, robot, season or kind of event.
        task: What was to be done, in words.
    """

    name: str
    films: Mapping[str, Film]
    signals: Signals
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    state_names: tuple[str, ...]
    fps: float
    domain: str
    task: str

    def __len__(self) -> int:
        return len(self.signals.states)


class Writer(ABC):
    """Writes recordings into a new folder; complete when its `with` block is left without error.

    What was added before an interruption may stay, and is taken over when the same recordings are
    written to the same folder again.

    Args:
        folder: Where to; made if missing.

    Attributes:
        title: What the format is called in a sentence.
    """

    title: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def add(self, recording: Recording) -> None:
        """Write one recording.

        Raises:
            InputError: It does not fit those before it, or cannot be written.
        """

    @abstractmethod
    def finish(self) -> None:
        """Write what is known only at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
