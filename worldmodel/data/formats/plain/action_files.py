"""Files of actions that lie beside pictures.

- npz: see `npz_signals`.
- csv, parquet: a column per action, named in the header; those whose names begin with `state` or
  `observation` are states. Columns called as in `COUNTERS` are left out.
- json: an object with `actions`, and perhaps `action_names`, `action_units`, `states`,
  `state_names` and `fps`. One without `actions` describes something else.

Of T frames there are T-1 actions, or T, of which the last is dropped; states are T.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from worldmodel.data.files.npz_heads import npz_heads
from worldmodel.data.files.parquet import Parquet
from worldmodel.data.formats.plain.npz_signals import npz_signals
from worldmodel.data.formats.signals import check_counts, matrix, numbered
from worldmodel.data.recording import Signals, no_signals
from worldmodel.errors import InputError

COUNTERS = ("frame", "frame_index", "index", "step", "time", "timestamp")
"""Columns of tables that are no actions."""

STATE_COLUMNS = ("state", "observation")
"""How the names of columns of states begin."""


FASTEST = 1e6
"""Frames per second; what declares more is damaged."""


class Beside(NamedTuple):
    """What a file of actions holds.

    Attributes:
        signals: Of T frames.
        action_names: One per action dimension.
        action_units: One per action dimension, "" where unknown.
        state_names: One per state dimension.
        fps: Frames per second; 0 if unknown.
    """

    signals: Signals
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    state_names: tuple[str, ...]
    fps: float = 0.0


def nothing_beside(length: int) -> Beside:
    """What there is of T frames without such a file."""
    return Beside(no_signals(length), (), (), ())


def read_beside(path: Path, length: int) -> Beside:
    """Read a file of actions.

    Args:
        path: Ends in one of `SUFFIXES`.
        length: Of the recording, T.

    Raises:
        InputError: It is damaged, or does not fit the recording.
    """
    try:
        return _READERS[path.suffix](path, length)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from error


def _npz(path: Path, length: int) -> Beside:
    signals = npz_signals(path, length)
    if not signals.actions.shape[1]:
        available = ", ".join(npz_heads(path)) or "nothing"
        raise InputError(f"expected an array 'actions', available: {available}")
    return _unnamed(signals)


def _csv(path: Path, length: int) -> Beside:
    try:
        table = pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(use_threads=False))
        names = table.column_names
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"not a readable csv file ({error})") from error
    if names and all(map(_is_number, names)):
        raise InputError("expected a first line of names, got numbers")

    def column(name: str) -> np.ndarray:
        values = table.column(name)
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            raise InputError(f"expected numbers in column {name!r}, got {values.type}")
        return values.to_numpy()

    return _table(names, len(table), column, length)


def _parquet(path: Path, length: int) -> Beside:
    file = Parquet(path)
    return _table(
        file.columns, len(file), lambda name: file.numbers(name, range(len(file))), length
    )


def _table(
    names: Sequence[str], count: int, column: Callable[[str], np.ndarray], length: int
) -> Beside:
    if len(set(names)) < len(names):
        raise InputError(f"expected columns of different names, got {', '.join(names)}")
    states = [name for name in names if name.lower().startswith(STATE_COLUMNS)]
    actions = [name for name in names if name not in states and name.lower() not in COUNTERS]
    if not actions:
        raise InputError(f"expected columns of actions, got {', '.join(names) or 'none'}")
    check_counts(count, count if states else None, length)

    def columns(wanted: list[str], steps: int, what: str) -> np.ndarray:
        found = [column(name)[:steps] for name in wanted]
        for name, values in zip(wanted, found, strict=True):
            if values.ndim != 1:
                raise InputError(f"expected one number per row in column {name!r}")
        return matrix(np.stack(found, axis=1), what)

    return Beside(
        Signals(
            columns(actions, length - 1, "actions"),
            columns(states, length, "states") if states else no_signals(length).states,
        ),
        tuple(actions),
        ("",) * len(actions),
        tuple(states),
    )


def _json(path: Path, length: int) -> Beside:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a readable json file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"expected an object with 'actions', got {type(content).__name__}")
    fps = content.get("fps", 0)
    if not isinstance(fps, int | float) or not 0 <= fps <= FASTEST:
        raise InputError(f"expected 'fps' to be a number of frames per second, got {fps!r:.80}")
    if "actions" not in content:
        return nothing_beside(length)._replace(fps=float(fps))
    actions, states = _listed(content, "actions"), no_signals(length).states
    if "states" in content:
        states = _listed(content, "states")
    check_counts(len(actions), len(states), length)
    signals = Signals(matrix(actions[: length - 1], "actions"), matrix(states, "states"))
    beside = _unnamed(signals)
    return beside._replace(
        action_names=_words(content, "action_names", beside.action_names),
        action_units=_words(content, "action_units", beside.action_units),
        state_names=_words(content, "state_names", beside.state_names),
        fps=float(fps),
    )


def _listed(content: Mapping[str, Any], key: str) -> np.ndarray:
    rows = content[key]
    if not isinstance(rows, list):
        raise InputError(f"expected {key!r} to be a list of rows, got {rows!r:.80}")
    try:
        return np.asarray(rows)
    except (ValueError, OverflowError) as error:
        raise InputError(f"expected {key!r} to be rows of equally many numbers") from error


def _words(content: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    words = content.get(key, default)
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise InputError(f"expected {key!r} to be a list of words, got {words!r:.80}")
    if len(words) != len(default):
        raise InputError(f"expected {len(default)} {key!r}, got {len(words)}")
    return tuple(words)


def _unnamed(signals: Signals) -> Beside:
    width = signals.actions.shape[1]
    states = numbered("state", signals.states.shape[1])
    return Beside(signals, numbered("action", width), ("",) * width, states)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


_READERS: Mapping[str, Callable[[Path, int], Beside]] = MappingProxyType(
    {".npz": _npz, ".csv": _csv, ".parquet": _parquet, ".json": _json}
)

SUFFIXES = tuple(_READERS)
"""How such files end."""
