"""Initial states that the published MotionRNN draws at random, for comparisons with its numbers.

The authors draw, in this order, one tensor for both `h_t` and `c_t` of every layer; for every layer
but the top one `h_t_conv`, and one tensor for both `h_t_conv_offset` and `mean`; then `mem` and
`motion_highway`. They overwrite `h_t_conv` and `motion_highway` before they read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.model import State, WorldModel

_VOCABULARY = (
    {"offset": "motion_filter", "mean": "motion_trend"},
    {"conv": "", "highway": ""},
    {"h": "hidden", "hidden": "hidden", "c": "cell", "cell": "cell"},
    {"m": "memory", "mem": "memory", "memory": "memory"},
)
"""Words in the authors' names and our names of what they mean; the first line with a word in the
name decides. What is overwritten has no name."""

_DRAWN_AS_ONE = (
    ("hidden", "cell"),
    ("cell", "hidden"),
    ("motion_filter", "motion_trend"),
    ("motion_trend", "motion_filter"),
)

_NO_STATES = ("w/", "in/frames", "in/mask", "out", "gradnorm/", "motiongru/")


class _Stored(NamedTuple):
    """An array of the fixture."""

    name: str
    value: np.ndarray


@contextmanager
def stored_initial_state(model: WorldModel, arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Let a `MotionRNN` begin with the states of a fixture, see `begin_with`."""
    usual = model.initial_state

    def initial_state(batch: int, device: torch.device | str | None = None) -> State:
        return begin_with(usual(batch, device), arrays)

    with patch.object(model, "initial_state", initial_state):
        yield


def begin_with(state: State, arrays: Mapping[str, np.ndarray]) -> State:
    """A `MotionRNN`'s initial state with the entries that a fixture stores, and its own others.

    The arrays' names hold the authors' variable and the layer ("in/h_t.0", "init/mean_1",
    "in/h_t_conv_offset/0"; an array of five axes has the layers in front), or they number all
    draws, or all that are read, in the authors' order ("in/init.7"). Of two variables that are
    drawn as one, the one that is not stored is the other.

    Raises:
        InputError: An array belongs to no entry, to one that has another, or has another shape.
    """
    stored: dict[str, _Stored] = {}
    for entry, array in _entries(_initial(arrays), _draws(state)):
        if entry in stored:
            raise InputError(f"{array.name}: {stored[entry].name} already holds {entry}")
        stored[entry] = array
    for drawn, same in _DRAWN_AS_ONE:
        twins = {entry.replace(drawn, same): array for entry, array in stored.items()}
        stored = {**twins, **stored}
    for entry, array in stored.items():
        state[entry] = _fitting(array, entry, state)
    return state


def _initial(arrays: Mapping[str, np.ndarray]) -> list[_Stored]:
    return [
        _Stored(name, value)
        for name, value in arrays.items()
        if not name.startswith(_NO_STATES) and value.ndim > 0
    ]


def _fitting(array: _Stored, entry: str, state: State) -> Tensor:
    """The value as an entry of the state, with its channels first or last."""
    available = sorted(map(str, state.keys()))
    if entry not in available:
        raise InputError(f"{array.name}: {entry}: no such entry, available: {', '.join(available)}")
    value = torch.from_numpy(array.value)
    channels_first = value.movedim(-1, 1) if value.ndim == 4 else value
    for candidate in (value, channels_first):
        if candidate.shape == state[entry].shape:
            return candidate.to(state[entry])
    raise InputError(
        f"{array.name}: {entry}: expected shape {tuple(state[entry].shape)}, "
        f"got {tuple(value.shape)}"
    )


def _draws(state: State) -> list[str | None]:
    """Entries that the authors' draws begin, in order; None where one is overwritten."""
    layers = sum(name.startswith("hidden") for name in map(str, state.keys()))
    motion = [entry for layer in range(layers - 1) for entry in (None, f"motion_filter{layer}")]
    return [*(f"hidden{layer}" for layer in range(layers)), *motion, "memory", None]


def _entries(arrays: list[_Stored], draws: list[str | None]) -> Iterator[tuple[str, _Stored]]:
    """What the arrays hold, by the entry of the state."""
    numbered: list[tuple[list[int], _Stored]] = []
    for array in arrays:
        words = re.findall(r"[a-z]+|\d+", array.name.lower())
        numbers = [int(word) for word in words if word.isdigit()]
        known = next((some for some in _VOCABULARY if not some.keys().isdisjoint(words)), None)
        if known is None:
            numbered.append((numbers, array))
            continue
        for variable in {known[word] for word in words if known.get(word)}:
            yield from _of_layers(variable, numbers, array)
    yield from _in_order([array for _, array in sorted(numbered, key=lambda pair: pair[0])], draws)


def _of_layers(variable: str, numbers: list[int], array: _Stored) -> Iterator[tuple[str, _Stored]]:
    if variable == "memory":
        yield variable, array
    elif array.value.ndim == 5:
        for layer, value in enumerate(array.value):
            yield f"{variable}{layer}", _Stored(array.name, value)
    else:
        yield f"{variable}{numbers[-1] if numbers else 0}", array


def _in_order(arrays: list[_Stored], draws: list[str | None]) -> Iterator[tuple[str, _Stored]]:
    read = [entry for entry in draws if entry is not None]
    orders: dict[int, Sequence[str | None]] = {0: [], len(read): read, len(draws): draws}
    if len(arrays) not in orders:
        raise InputError(
            f"{', '.join(array.name for array in arrays)}: expected a variable of the authors' in "
            f"each name, or as many as there are draws, {len(draws)} or {len(read)}"
        )
    for entry, array in zip(orders[len(arrays)], arrays, strict=True):
        if entry is not None:
            yield entry, array
