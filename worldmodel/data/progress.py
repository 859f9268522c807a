"""How far long work has come."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def tracked(items: Collection[Item], what: str) -> Iterable[Item]:
    """The items, with a bar on a terminal that vanishes at the end."""
    return track(
        items,
        what,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
