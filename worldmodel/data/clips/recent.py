"""Recently used arrays, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import final

import numpy as np


@final
class RecentArrays:
    """Keeps the arrays used last; a copy sent to another process starts empty.

    Args:
        capacity: Most bytes to keep; 0 keeps nothing.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._bytes = 0
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def __reduce__(self) -> tuple[type[RecentArrays], tuple[int]]:
        return RecentArrays, (self.capacity,)

    def get(self, key: Hashable) -> np.ndarray | None:
        """The array of that key, if it is kept."""
        array = self._arrays.get(key)
        if array is not None:
            self._arrays.move_to_end(key)
        return array

    def put(self, key: Hashable, array: np.ndarray) -> None:
        """Keep an array, and drop those used longest ago; one that is too large is not kept."""
        if array.nbytes > self.capacity or key in self._arrays:
            return
        self._arrays[key] = array
        self._bytes += array.nbytes
        while self._bytes > self.capacity:
            self._bytes -= self._arrays.popitem(last=False)[1].nbytes
