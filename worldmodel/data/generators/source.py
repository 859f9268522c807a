"""Generated clips as recordings."""

from __future__ import annotations

import hashlib
from typing import final

from worldmodel.data.generators.generator import Generator
from worldmodel.data.recording import Camera, Frames, Recording, Signals, no_signals
from worldmodel.data.source import Source


@final
class GeneratedSource(Source):
    """The clips of a generator, each made when it is read.

    Args:
        generator: What makes them.

    Raises:
        InputError: There are no digits to make them of.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        first = generator.clip(0).frames  # fails here, not in a worker, if digits are missing
        version = hashlib.sha256(first.tobytes()).hexdigest()[:16]
        camera = Camera("", generator.length, *generator.frame_shape)
        self.recordings = tuple(
            Recording(f"{index:07}", "", (camera,), generator.domain(index), version=version)
            for index in range(generator.clips)
        )
        self.sets, self.timed = (generator.clips,), False
        self.origin = repr(generator)

    def frames(self, index: int, steps: range) -> Frames:
        """Make a clip and take some of its frames."""
        return Frames(self._generator.clip(index).frames[steps.start : steps.stop])

    def signals(self, index: int) -> Signals:
        """Nothing acts."""
        return no_signals(self._generator.length)
