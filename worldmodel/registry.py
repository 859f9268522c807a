"""Things that are chosen by name: ours, and those that other packages register."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, final

from worldmodel.errors import InputError

Thing = TypeVar("Thing")


@final
class Registry(Mapping[str, Thing], Generic[Thing]):
    """Things by name; each is imported when it is first asked for.

    Names are lower case with hyphens. A look-up ignores case and punctuation: `PredRNN_V2` finds
    `predrnn-v2`. Another package adds a thing with one line of its `pyproject.toml`, an entry point
    of the group `worldmodel.KINDs`, for example
    `[project.entry-points."worldmodel.formats"]` with `mine = "my_package.mine:FORMAT"`.

    Args:
        kind: What is registered, in the singular.
        ours: Where each of ours is, as "module:attribute", by name.

    Raises:
        InputError: When a thing is asked for whose name two packages take.
    """

    def __init__(self, kind: str, ours: Mapping[str, str]) -> None:
        self._kind, self._ours = kind, ours
        self._loaded: dict[str, Thing] = {}

    def __getitem__(self, name: str) -> Thing:
        """The thing of that name.

        Raises:
            InputError: There is none, with the nearest name and all names; or the package that
                registers it cannot be imported.
        """
        key = self.name(name)
        if key not in self._loaded:
            self._loaded[key] = self._import(key)
        return self._loaded[key]

    def name(self, name: str) -> str:
        """That name as it was registered.

        Raises:
            InputError: There is none, with the nearest name and all names.
        """
        return find_name(self._kind, name, self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bare(name) in self._names

    @cached_property
    def _points(self) -> list[EntryPoint]:
        """Where everything is; ours first."""
        group = f"worldmodel.{self._kind}s"
        ours = [EntryPoint(name, where, group) for name, where in self._ours.items()]
        return ours + sorted(entry_points(group=group), key=lambda point: point.name)

    @cached_property
    def _places(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in self._points}

    @cached_property
    def _names(self) -> dict[str, str]:
        return {bare(name): name for name in self._places}

    def _import(self, key: str) -> Thing:
        values = dict.fromkeys(point.value for point in self._points if point.name == key)
        if len(values) > 1:
            raise InputError(f"{self._kind} {key!r} is registered twice, as {' and '.join(values)}")
        place = self._places[key]
        if key in self._ours:
            return getattr(import_module(place.module), place.attr)
        try:
            return place.load()
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"{self._kind} {key!r}: {place.value} cannot be imported ({error})"
            ) from error


def find_name(kind: str, name: str, known: Iterable[str]) -> str:
    """The known name that is meant, whatever the case and punctuation.

    Raises:
        InputError: There is none, with the nearest name and all names.
    """
    names = {bare(other): other for other in known}
    if (found := names.get(bare(name))) is not None:
        return found
    close = get_close_matches(bare(name), names, n=1)
    hint = f"did you mean {names[close[0]]}? " if close else ""
    available = ", ".join(names.values()) or "none"
    raise InputError(f"{kind} {name!r} is unknown; {hint}available: {available}")


def bare(name: str) -> str:
    """The name without case and punctuation; `+` is spelled out."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "plus"))
