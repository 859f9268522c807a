"""How far long work has come."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def tracked(items: Iterable[Item], what: str, total: int | None = None) -> Iterable[Item]:
    """The items, with a bar on a terminal that vanishes at the end.

    Args:
        items: What is worked through.
        what: Shown beside the bar.
        total: How many there are, if the items do not tell.
    """
    return track(
        items,
        what,
        total,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
