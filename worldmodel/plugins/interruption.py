"""Planning that can be given up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import final

from torch import Tensor

from worldmodel.imagined import Imagined
from worldmodel.model import WorldModel
from worldmodel.planners.foresight import Foresight


@final
class Interrupted(Exception):  # noqa: N818 -- nothing went wrong
    """Nobody waits any longer for what was being planned."""


@final
class InterruptibleForesight:
    """A foresight that imagines until it is told to stop.

    Args:
        foresight: What imagines.
        stop: Set from any thread, it makes the next imagined step raise `Interrupted`.
    """

    def __init__(self, foresight: Foresight, stop: threading.Event) -> None:
        self._foresight, self._stop = foresight, stop

    @property
    def models(self) -> tuple[WorldModel, ...]:
        """See `Foresight.models`."""
        return self._foresight.models

    def reset(self, frame: Tensor) -> None:
        """See `Foresight.reset`."""
        self._foresight.reset(frame)

    def observe(self, action: Tensor, frame: Tensor) -> None:
        """See `Foresight.observe`."""
        self._foresight.observe(action, frame)

    def imagine(self, actions: Tensor) -> Iterator[Imagined]:
        """See `Foresight.imagine`.

        Raises:
            Interrupted: It was told to stop.
        """
        for step in self._foresight.imagine(actions):
            if self._stop.is_set():
                raise Interrupted
            yield step
