"""Stretches of a series of pictures that were taken at a regular interval, and their times.

Times are seconds since 1970 UTC. Where pictures are only numbered, numbers serve as well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from worldmodel.data.recording import Flaw
from worldmodel.errors import InputError

SEASONS = ("winter", "spring", "summer", "autumn")
"""Meteorological seasons of the northern hemisphere; winter begins in December."""

_SMALLEST, _LARGEST = 0.5, 1.5


class Stretch(NamedTuple):
    """Files that follow each other at the usual interval.

    Attributes:
        start: Time of the first.
        interval: The usual one of the series.
        files: At least two, in order of time.
    """

    start: float
    interval: float
    files: tuple[str, ...]


def stretches(times: Mapping[str, float]) -> Iterator[Stretch | Flaw]:
    """Split a series of files, one per picture, where it has a gap.

    Args:
        times: Of each file; finite.

    Returns:
        Flaws are the files whose time another file has, and those that stand alone.
    """
    series: dict[float, str] = {}
    for file, time in sorted(times.items()):
        if series.setdefault(time, file) != file:
            yield Flaw(file, "", "another file holds the picture of the same time")
    rising = sorted(series)
    usual = interval(rising)
    for event in events(rising):
        files = [series[rising[index]] for index in event]
        if len(files) > 1:
            yield Stretch(rising[event.start], usual, tuple(files))
        else:
            yield Flaw(files[0], "", "no picture one interval before it or after it")


def events(times: Sequence[float]) -> list[range]:
    """Split a series where it has a gap.

    A gap is a difference of more than 1.5 usual intervals, or of less than half of one.

    Args:
        times: Rising.

    Returns:
        Indices of each stretch, some of a single time; together they cover all.

    Raises:
        InputError: Times are not finite, fall, or come twice.
    """
    steps = _steps(times) / (interval(times) or 1.0)
    breaks = np.flatnonzero((steps > _LARGEST) | (steps < _SMALLEST)) + 1
    bounds = [0, *breaks.tolist(), len(times)]
    return [range(first, end) for first, end in pairwise(bounds) if first < end]


def interval(times: Sequence[float]) -> float:
    """The most common difference, the smallest of several; 0 of fewer than two times.

    Raises:
        InputError: Times are not finite, fall, or come twice.
    """
    counts = Counter(np.round(_steps(times), 3).tolist())
    return max(counts, key=lambda step: (counts[step], -step), default=0.0)


def season(time: float) -> str:
    """Meteorological season of the northern hemisphere, such as "summer"."""
    return SEASONS[datetime.fromtimestamp(time, UTC).month % 12 // 3]


def iso(time: float) -> str:
    """A time in words, such as "2016-09-28T14:45:00Z"; what is below a second is left out."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed(text: str, layout: str) -> float:
    """A time as written.

    Args:
        text: Such as "201609281445".
        layout: As of `datetime.strptime`, such as "%Y%m%d%H%M".

    Raises:
        InputError: It is no such time.
    """
    try:
        return datetime.strptime(text, layout).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise InputError(f"expected a time like {_example(layout)}, got {text!r}") from error


def time_in(file: str, layout: str = "%Y%m%d%H%M") -> float:
    """The first time that is written in the name of a file; its folders do not count.

    Args:
        file: Such as "2016/201609281445_fmi.pgm".
        layout: As of `datetime.strptime`, of two-digit fields and "%Y"; no more digits may adjoin.

    Raises:
        InputError: There is none.
    """
    digits = re.sub(
        "%(.)", lambda field: r"\d{4}" if field[1] == "Y" else r"\d{2}", re.escape(layout)
    )
    for written in re.findall(rf"(?<!\d){digits}(?!\d)", PurePosixPath(file).name):
        try:
            return parsed(written, layout)
        except InputError:
            continue
    raise InputError(f"expected a time like {_example(layout)} in the name of the file")


def _steps(times: Sequence[float]) -> np.ndarray:
    steps = np.diff(np.asarray(times, np.float64))
    if not np.isfinite(times).all() or (steps < 0).any():
        raise InputError("expected finite times in rising order")
    if twice := int((steps == 0).sum()):
        raise InputError(f"expected one picture per time, got {twice} times that come twice")
    return steps


def _example(layout: str) -> str:
    return datetime(2016, 9, 28, 14, 45, tzinfo=UTC).strftime(layout)
