"""What writes a data set in another format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, final

import numpy as np

from worldmodel.data.recording import Camera, Recording, Signals


@final
@dataclass(frozen=True)
class Footage:
    """All of a recording, of whose pictures few are in memory at a time.

    Attributes:
        recording: What is known of it; all its cameras have T frames, and names.
        signals: Actions (T-1, A) and states (T, S), float32 or float64.
        frames: Of a camera, starts over at each call; T frames, uint8, each of shape (H, W, 3).
    """

    recording: Recording
    signals: Signals
    frames: Callable[[Camera], Iterator[np.ndarray]]

    def __len__(self) -> int:
        return len(self.signals.states)


class Writer(ABC):
    """Writes recordings into a new folder; complete when its `with` block is left without error.

    What was added before an interruption may stay, and is taken over when the same recordings are
    written to the same folder again.

    Args:
        folder: Where to; made if missing.

    Attributes:
        keeps_domains: Whether each recording keeps its own domain.
        makes_videos: Whether pictures become videos, which play at some rate.
    """

    keeps_domains: ClassVar[bool] = True
    makes_videos: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def add(self, footage: Footage) -> None:
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
