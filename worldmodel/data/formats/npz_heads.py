"""What an npz file holds, by the heads of its arrays."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO, NamedTuple

import numpy as np

from worldmodel.errors import InputError

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    ValueError,
    TypeError,
    SyntaxError,
    TokenError,
    EOFError,
    OSError,
    OverflowError,
)


class Head(NamedTuple):
    """What an array is declared to be.

    Attributes:
        shape: Of the array.
        dtype: Of its elements; `object` for what is pickled.
    """

    shape: tuple[int, ...]
    dtype: np.dtype


def npz_heads(path: Path) -> dict[str, Head]:
    """Heads of all arrays in an npz file, in its order; records with odd names are left out.

    Raises:
        InputError: It is none, or one of its arrays cannot be read.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as file:
                        found[name.removesuffix(".npy")] = _head(file)
    except _UNREADABLE as error:
        raise InputError(f"no readable npz file ({error})") from error
    return {key: head for key, head in found.items() if head is not None}


def _head(file: IO[bytes]) -> Head | None:
    version = np.lib.format.read_magic(file)
    if version == (3, 0):
        return None
    old = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return Head(shape, dtype)
