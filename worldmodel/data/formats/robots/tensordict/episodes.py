"""Where episodes begin and end among steps that follow each other, as TorchRL collects them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from worldmodel.errors import InputError

_PIECE = 16 * 2**20


def stretches(ends: np.ndarray) -> Iterator[range]:
    """The steps between ends.

    Args:
        ends: True at the last step of each stretch. Shape (n,).
    """
    start = 0
    for end in (*np.flatnonzero(ends).tolist(), len(ends) - 1):
        if start <= end:
            yield range(start, end + 1)
        start = end + 1


def unconnected(seen: np.ndarray, led_to: np.ndarray, steps: range) -> list[int]:
    """Steps after which something else was seen than they led to.

    Args:
        seen: At each step. Shape (n, ...).
        led_to: By each step. Shape (n, ...).
        steps: Of one stretch; its last leads out of it.

    Raises:
        InputError: The two have other shapes.
    """
    if seen.shape != led_to.shape:
        raise InputError(
            f"expected what steps lead to in the shape of what is seen, {seen.shape}, "
            f"got {led_to.shape}"
        )
    size = max(1, seen[:1].nbytes)
    few, found = max(1, _PIECE // size), list[int]()
    for start in range(steps.start, steps.stop - 1, few):
        stop = min(start + few, steps.stop - 1)
        differ = seen[start + 1 : stop + 1] != led_to[start:stop]
        found += (start + np.flatnonzero(differ.reshape(stop - start, -1).any(axis=1))).tolist()
    return found


def split(steps: range, breaks: Sequence[int]) -> list[range]:
    """The stretches between breaks, after each of which something else begins."""
    edges = [steps.start, *(step + 1 for step in breaks), steps.stop]
    return [range(first, end) for first, end in pairwise(edges)]


def check_connected(steps: range, breaks: Sequence[int]) -> None:
    """Refuse steps that do not follow each other.

    Raises:
        InputError: There are breaks.
    """
    if breaks:
        raise InputError(
            "expected steps in the order in which they were taken, got "
            f"{len(breaks)} of {len(steps)} after which something else is seen than they led to"
        )
