"""Generated clips as episodes."""

from __future__ import annotations

import hashlib
from typing import final

from worldmodel.data.generators.generator import Generator
from worldmodel.data.recording import Frames, Signals, View, no_signals
from worldmodel.data.source import EpisodeSource


@final
class GeneratedSource(EpisodeSource):
    """The clips of a generator, each made when it is read.

    Args:
        generator: What makes them.

    Raises:
        InputError: There are no digits to make them of.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        first = generator.clip(0).frames  # fails here, not in a worker, if digits are missing
        self._version = hashlib.sha256(first.tobytes()).hexdigest()[:16]
        height, width, channels = generator.frame_shape
        self.views = tuple(
            View(
                name=f"{index:07}",
                camera="",
                file="",
                length=generator.length,
                height=height,
                width=width,
                channels=channels,
                domain=generator.domain(index),
            )
            for index in range(generator.clips)
        )
        self.sets, self.timed = (len(self.views),), False
        self.origin = repr(generator)

    def frames(self, index: int, steps: range) -> Frames:
        """Make a clip and take some of its frames."""
        return Frames(self._generator.clip(index).frames[steps.start : steps.stop])

    def signals(self, index: int) -> Signals:
        """Nothing acts."""
        return no_signals(self.views[index].length)

    def version(self, index: int) -> str:
        """Differs when the first clip does: by other digits, or another way to move them."""
        return self._version
