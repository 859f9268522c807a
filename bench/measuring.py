"""How things are measured: side by side, and how time grows with size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import final

import numpy as np

from worldmodel.report.table import Table

Work = Callable[[], object]
"""What is timed; on an accelerator it returns when its work is done."""


@final
@dataclass(frozen=True)
class Measurement:
    """One number.

    Attributes:
        subject: What was measured.
        quantity: Which of its properties, with the unit.
        value: The number.
        ratio: Two things measured side by side, the larger the better: what runs can be compared
            by. Otherwise a number of this machine at this hour.
    """

    subject: str
    quantity: str
    value: float
    ratio: bool = False

    @property
    def name(self) -> str:
        """Subject and quantity."""
        return f"{self.subject}: {self.quantity}"


Clock = Callable[[], float]
"""Seconds since some moment."""

CPU_TIME: Clock = time.process_time
"""What this process computed, so that waiting for other processes does not count: for a CPU, with
one thread."""

WALL_CLOCK: Clock = time.perf_counter
"""What passed: for an accelerator."""


def side_by_side(
    works: Mapping[str, Work], repeats: int = 5, clock: Clock = CPU_TIME
) -> dict[str, float]:
    """Median seconds of each work, after one round that is not counted.

    They take turns, A, B, A, B, so that what else the machine does slows all of them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            seconds[name].append(elapsed(work, clock))
    return {name: median(times) for name, times in seconds.items()}


def elapsed(work: Work, clock: Clock) -> float:
    """Seconds that a work takes."""
    begun = clock()
    work()
    return clock() - begun


def times_by_size(
    sizes: Iterable[int], work_of: Callable[[int], Work], *, longest: float, repeats: int = 3
) -> dict[int, float]:
    """Median seconds by size, from the smallest on; none follows one that takes `longest`."""
    seconds: dict[int, float] = {}
    for size in sizes:
        seconds[size] = side_by_side({"": work_of(size)}, repeats)[""]
        if seconds[size] > longest:
            break
    return seconds


def fitted_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The p with which size**p fits the values best: the slope where both axes are logarithmic.

    Args:
        sizes: At least two, positive.
        values: As many, positive.
    """
    slope, _ = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(slope)


def table(measurements: Sequence[Measurement]) -> str:
    """A row per subject and a column per quantity, in Markdown."""
    subjects = dict.fromkeys(one.subject for one in measurements)
    quantities = dict.fromkeys(one.quantity for one in measurements)
    values = {(one.subject, one.quantity): one.value for one in measurements}
    rows = [
        {"": subject, **{quantity: values.get((subject, quantity)) for quantity in quantities}}
        for subject in subjects
    ]
    return Table.of(rows).markdown()
