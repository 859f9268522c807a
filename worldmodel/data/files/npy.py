"""npy files, which are not loaded: rows are read when they are asked for."""

from __future__ import annotations

import warnings
from pathlib import Path
from tokenize import TokenError

import numpy as np

from worldmodel.errors import InputError

BAD_HEADER = (
    ValueError,
    TypeError,
    SyntaxError,
    TokenError,
    RecursionError,
    MemoryError,
    OverflowError,
)
"""What numpy raises at a header that is damaged."""


def mapped_npy(path: Path) -> np.ndarray:
    """The array of an npy file, which must be as large as it says; its pages are read late.

    Raises:
        InputError: It is damaged, or its elements are pickled.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return np.lib.format.open_memmap(path, mode="r")
    except (OSError, EOFError, *BAD_HEADER) as error:
        raise InputError(f"no readable npy file ({error})") from error
