"""What is wrong with a data set, in few words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from worldmodel.data.recording import Flaw

_MOST_RUNS, _MOST_REASONS = 12, 20
_NUMBERS = re.compile(r"\d+")
_NUMBER_AT_END = re.compile(r"(.*?)(\d+)(\.\w+|\D*)")


def summary(flaws: Sequence[Flaw]) -> str:
    """One line per reason, with how many share it and their names.

    Reasons that differ in numbers only are one; the first stands for all.
    """
    alike = defaultdict[str, list[Flaw]](list)
    for flaw in flaws:
        alike[_NUMBERS.sub("", flaw.reason)].append(flaw)
    lines = [
        f"{len(those)} x {those[0].reason}: {_listed(those)}" if len(those) > 1 else str(those[0])
        for those in alike.values()
    ]
    more = [f"and {len(lines) - _MOST_REASONS} more reasons"] if len(lines) > _MOST_REASONS else []
    return "\n".join([*lines[:_MOST_REASONS], *more])


def _listed(flaws: Iterable[Flaw]) -> str:
    names = defaultdict[str, list[str]](list)
    for flaw in flaws:
        names[flaw.camera and f" ({flaw.camera})"].append(flaw.recording or flaw.file)
    runs = [run + camera for camera, those in names.items() for run in _runs(sorted(those))]
    more = f" and {len(runs) - _MOST_RUNS} more" if len(runs) > _MOST_RUNS else ""
    return ", ".join(runs[:_MOST_RUNS]) + more


def _runs(names: Sequence[str]) -> Iterable[str]:
    """Names, where those that count upwards become `first to last`."""
    start = 0
    for end in range(1, len(names) + 1):
        if end == len(names) or not _follows(names[end - 1], names[end]):
            first, last = names[start], names[end - 1]
            yield first if end - start == 1 else f"{first} to {last}"
            start = end


def _follows(name: str, following: str) -> bool:
    one, next_ = _NUMBER_AT_END.fullmatch(name), _NUMBER_AT_END.fullmatch(following)
    return (
        one is not None
        and next_ is not None
        and one.group(1, 3) == next_.group(1, 3)
        and int(next_[2]) == int(one[2]) + 1
    )
