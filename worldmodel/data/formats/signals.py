"""Actions and states of formats that say little about them."""

from __future__ import annotations

import numpy as np

from worldmodel.errors import InputError


def matrix(values: np.ndarray, what: str) -> np.ndarray:
    """Numbers of each step, finite, float32 or float64 as recorded; of whole numbers, float64.

    Args:
        values: Shape (n, D), or (n,) for D = 1.
        what: What to call them in an error.

    Returns:
        Shape (n, D).

    Raises:
        InputError: They are no numbers, have another shape, or hold NaN or infinity.
    """
    if values.ndim not in (1, 2) or values.dtype.kind not in "iufb":
        raise InputError(f"expected {what} to be numbers (n, D), got {values.dtype} {values.shape}")
    single = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    with np.errstate(over="ignore"):
        floats = values.astype(np.float32 if single else np.float64)
    floats = floats if floats.ndim == 2 else floats[:, None]
    bad = np.flatnonzero(~np.isfinite(floats).all(axis=1))
    if len(bad):
        raise InputError(
            f"{what} hold NaN or infinity at {len(bad)} of {len(floats)} steps, "
            f"first at step {bad[0]}"
        )
    return floats


def check_counts(actions: int, states: int | None, length: int) -> None:
    """Refuse numbers of actions and states that do not fit.

    Args:
        actions: One per frame, or one between each two frames.
        states: One per frame; None if there are none.
        length: Of the recording, T frames.

    Raises:
        InputError: There are more or fewer.
    """
    if actions not in (length - 1, length):
        raise InputError(
            f"expected {length - 1} or {length} actions for {length} frames, got {actions}"
        )
    if states not in (None, length):
        raise InputError(f"expected {length} states, one per frame, got {states}")


def numbered(word: str, width: int) -> tuple[str, ...]:
    """Names of dimensions that have none: `word_0` and so on."""
    return tuple(f"{word}_{number}" for number in range(width))
