"""Recently used episodes, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import final

from worldmodel.data.episodes import Episode


@final
class EpisodeCache:
    """Keeps the episodes used last; a copy sent to another process starts empty.

    Args:
        capacity: Most bytes of frames to keep; 0 keeps nothing.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._bytes = 0
        self._episodes: OrderedDict[int, Episode] = OrderedDict()

    def __reduce__(self) -> tuple[type[EpisodeCache], tuple[int]]:
        return EpisodeCache, (self._capacity,)

    def get(self, index: int, read: Callable[[int], Episode]) -> Episode:
        """The episode of that index, from `read(index)` if it is not kept."""
        if index in self._episodes:
            self._episodes.move_to_end(index)
            return self._episodes[index]
        episode = self._episodes[index] = read(index)
        self._bytes += episode.frames.nbytes
        while self._bytes > self._capacity:
            _, dropped = self._episodes.popitem(last=False)
            self._bytes -= dropped.frames.nbytes
        return episode
