"""Actions and states in an npz file.

`action` or `actions`, (T-1, A) or (T, A), are the actions: action t is taken at frame t, and the
last of T is dropped. `state` or `states`, (T, S), are the states.

Replay buffers of time steps, such as those of https://github.com/facebookresearch/drqv2
(`replay_buffer.py`) and https://github.com/danijar/dreamer (`wrappers.py`), store with each frame
the action that led to it, and zeros with the first. A file counts as one if it has T actions, the
first all zero, T rewards, the first zero, and T of `discount` or `is_first`; then the first action
is dropped instead of the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from worldmodel.data.files.npz_heads import Head, npz_heads
from worldmodel.data.files.npz_rows import NpzArray
from worldmodel.data.formats.signals import check_counts, matrix
from worldmodel.data.recording import Signals, no_signals
from worldmodel.errors import InputError

ACTIONS, STATES = ("action", "actions"), ("state", "states")
REWARD, MARKS = "reward", ("discount", "is_first")

MOST_DIMENSIONS = 4096
"""Of actions or states; what declares more is damaged."""


def npz_signals(path: Path, length: int) -> Signals:
    """Actions and states, of no dimensions if there are none.

    Args:
        path: The npz file.
        length: Of the recording, T frames.

    Raises:
        InputError: They do not fit, hold NaN or infinity, or are damaged.
    """
    heads = npz_heads(path)
    actions, states = no_signals(length)
    action, state = _key(heads, ACTIONS), _key(heads, STATES)
    if action:
        count = heads[action].shape[0]
        check_counts(count, None, length)
        first = int(count == length and _is_replay(path, heads, action))
        actions = _matrix(path, action, range(first, first + length - 1), "actions")
    if state:
        check_counts(length, heads[state].shape[0], length)
        states = _matrix(path, state, range(length), "states")
    return Signals(actions, states)


def _key(heads: Mapping[str, Head], keys: tuple[str, ...]) -> str | None:
    present = [key for key in keys if key in heads]
    if len(present) > 1:
        raise InputError(f"expected one array of {keys[0]}s, got {', '.join(present)}")
    for key in present:
        shape, dtype = heads[key]
        if len(shape) not in (1, 2) or not all(0 < n <= MOST_DIMENSIONS for n in shape[1:]):
            raise InputError(
                f"expected {keys[0]}s to be numbers (n, D) of at most {MOST_DIMENSIONS} "
                f"dimensions, got {dtype} {shape}"
            )
        if dtype.kind not in "iufb":
            raise InputError(f"expected {keys[0]}s to be numbers (n, D), got {dtype} {shape}")
    return present[0] if present else None


def _is_replay(path: Path, heads: Mapping[str, Head], action: str) -> bool:
    """Whether the file bears all marks of a replay buffer."""
    count = heads[action].shape[:1]
    if REWARD not in heads or heads[REWARD].dtype.kind not in "iuf":
        return False
    if (
        not count
        == heads[REWARD].shape[:1]
        in [heads[key].shape[:1] for key in MARKS if key in heads]
    ):
        return False
    first = [NpzArray(path, key).rows(range(1)) for key in (action, REWARD)]
    return not any(values.any() for values in first)


def _matrix(path: Path, key: str, steps: range, what: str) -> np.ndarray:
    return matrix(NpzArray(path, key).rows(steps), what)
