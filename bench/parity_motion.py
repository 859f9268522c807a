"""Initial states that the published MotionRNN draws at random, for comparisons with its numbers.

The authors draw `h_t` and `c_t` of every layer (one draw for both), `h_t_conv_offset` and `mean` of
every layer but the top one (again one draw for both), and `mem`; and `h_t_conv` and
`motion_highway`, which they overwrite before they read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.model import State, WorldModel

_PER_LAYER = {
    "h_t": "hidden",
    "h": "hidden",
    "c_t": "cell",
    "c": "cell",
    "h_t_conv_offset": "motion_filter",
    "offset": "motion_filter",
    "mean": "motion_trend",
}
"""The authors' variables and ours."""

_SHARED = {"mem": "memory", "memory": "memory", "m_t": "memory"}
_NAME = re.compile(
    r"(?:.*[/.:])?(?:init(?:ial)?_)?(?P<variable>{})(?:_init(?:ial)?)?\W*_?(?P<layer>\d+)?\W*".format(
        "|".join([*_PER_LAYER, *_SHARED])
    )
)
_RESULTS = ("w/", "out/", "out64/", "gradnorm/", "motiongru/")


@contextmanager
def stored_initial_state(model: WorldModel, arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Let a `MotionRNN` begin with the states of a fixture, see `stored_states`.

    What the fixture does not hold begins as usual.
    """
    stored, usual = stored_states(arrays), model.initial_state

    def initial_state(batch: int, device: torch.device | str | None = None) -> State:
        state = usual(batch, device)
        for name, value in stored.items():
            state[name] = _fitting(value, state, name)
        return state

    with patch.object(model, "initial_state", initial_state):
        yield


def stored_states(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Entries of a `MotionRNN`'s state among arrays that are named after the authors' variables.

    A path may stand before the variable and the layer's index after it: "in/h_t.0", "init/mean[1]",
    "state/c_t_2"; an array without an index has the layers in front.
    """
    states: dict[str, Tensor] = {}
    for name, array in arrays.items():
        found = _NAME.fullmatch(name)
        if found is None or name.startswith(_RESULTS):
            continue
        variable, layer = found["variable"], found["layer"]
        if variable in _SHARED:
            states[_SHARED[variable]] = torch.from_numpy(array)
        elif layer is not None:
            states[_PER_LAYER[variable] + layer] = torch.from_numpy(array)
        else:
            layers = array if array.ndim == 5 else array[None]
            for index, one in enumerate(layers):
                states[f"{_PER_LAYER[variable]}{index}"] = torch.from_numpy(one)
    return states


def _fitting(value: Tensor, state: State, name: str) -> Tensor:
    """The value, with its channels first or last, in the shape and type of an entry."""
    available = sorted(map(str, state.keys()))
    if name not in available:
        raise InputError(f"{name}: no such entry, available: {', '.join(available)}")
    for candidate in (value, value.movedim(-1, 1)):
        if candidate.shape == state[name].shape:
            return candidate.to(state[name])
    raise InputError(f"{name}: expected shape {tuple(state[name].shape)}, got {tuple(value.shape)}")
