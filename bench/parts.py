"""Parts of a measurement that must end in time: each prints as soon as it is done."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import final

from worldmodel.report.table import Cell, Table

Row = dict[str, Cell]


@final
@dataclass(frozen=True)
class Part:
    """A table that is made row by row.

    Attributes:
        title: What it tells.
        seconds: Time it may take.
        rows: Makes them; all have the same keys.
    """

    title: str
    seconds: float
    rows: Callable[[], Iterator[Row]]


@final
@dataclass(frozen=True)
class Done:
    """What became of a part: its table, and a sentence where there is less than was wanted."""

    markdown: str
    failed: bool


class NotHereError(Exception):
    """A part does not apply to this machine; the message says why, as a sentence."""


class OutOfTimeError(Exception):
    """A part took longer than it may."""


def run(parts: Sequence[Part], seconds: float, show: Callable[[str], None]) -> bool:
    """Make all parts within so many seconds in all, and show each.

    Returns:
        Whether none failed. One that ran out of time has not: it shows what it has.
    """
    end, whole = time.monotonic() + seconds, True
    for part in parts:
        done = made(part, min(part.seconds, end - time.monotonic()))
        show(done.markdown)
        whole = whole and not done.failed
    return whole


def made(part: Part, seconds: float) -> Done:
    """The rows of a part that were made in time, and why there are no more."""
    rows: list[Row] = []
    begun, failed, sentence = time.monotonic(), False, ""
    stopped = f"Stopped after {seconds:.0f} s; the rest is left out.\n"
    try:
        with within(seconds):
            for row in part.rows():
                rows.append(row)
    except OutOfTimeError:
        sentence = stopped
    except NotHereError as error:
        sentence = f"{error}\n"
    except Exception as error:
        failed = time.monotonic() < begun + seconds  # a compiler wraps what stops it
        sentence = f"It does not work here: {_first_line(error)}\n" if failed else stopped
    took = time.monotonic() - begun
    table = Table.of(rows).markdown() + "\n" if rows else ""
    return Done(f"### {part.title} ({took:.0f} s)\n\n{table}{sentence}", failed)


def _first_line(error: Exception) -> str:
    """Its type and the beginning of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise `OutOfTimeError` inside after so many seconds, and again where it was not heeded."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError

    if seconds <= 0:
        raise OutOfTimeError
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 5.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
