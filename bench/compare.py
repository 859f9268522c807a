"""Which ratios fell from one run of `speed.py` to another.

`python bench/compare.py OLD.json NEW.json` prints every ratio that fell by more than a fifth and
exits with status 1 if there is one; a ratio that only one run has is left out. Seconds and rates
are not compared: they are of two machines, or of one at two hours.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from worldmodel.report.table import Cell, Table

LOWEST = 0.8
"""Of what a ratio was, what it must be."""


def fallen(old: Mapping[str, float], new: Mapping[str, float]) -> list[dict[str, Cell]]:
    """A row for each ratio that fell too far, the worst first; those that only one has are left."""
    rows: list[dict[str, Cell]] = [
        {"ratio": name, "was": old[name], "is": new[name], "of it": new[name] / old[name]}
        for name in sorted(old.keys() & new.keys(), key=lambda name: new[name] / old[name])
        if new[name] < LOWEST * old[name]
    ]
    return rows


def main(given: Sequence[str]) -> int:
    """The exit status."""
    if len(given) != 2:
        raise SystemExit("usage: python bench/compare.py OLD.json NEW.json")
    old, new = (json.loads(Path(path).read_text())["ratios"] for path in given)
    rows = fallen(old, new)
    common = len(old.keys() & new.keys())
    print(f"{len(rows)} of {common} ratios fell by more than a fifth")
    if rows:
        print(Table.of(rows).markdown(), end="")
    return int(bool(rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
