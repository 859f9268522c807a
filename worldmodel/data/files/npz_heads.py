"""What an npz file holds, by the heads of its arrays."""

from __future__ import annotations

import struct
import warnings
import zipfile
from os import SEEK_END
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from worldmodel.data.files.npy import BAD_HEADER
from worldmodel.data.files.npz_rows import BAD_ARCHIVE
from worldmodel.errors import InputError

_END = struct.Struct("<10xH10x")
_MANY = 2**16 - 1


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
        InputError: It is none, one of its arrays cannot be read, or its directory is damaged.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            names = archive.namelist()
            for name in names:
                with archive.open(name) as file:
                    found[name] = _head(file)
        declared = _declared(path)
    except (struct.error, *BAD_ARCHIVE, *BAD_HEADER) as error:
        raise InputError(f"no readable npz file ({error})") from error
    if declared not in (len(found), _MANY) or not all(name.endswith(".npy") for name in names):
        raise InputError(
            f"expected {declared} arrays by the directory, got {', '.join(names):.200}"
        )
    return {name.removesuffix(".npy"): head for name, head in found.items() if head is not None}


def _declared(path: Path) -> int:
    """How many arrays the directory at the end declares; numpy writes no comment after it."""
    with open(path, "rb") as file:
        file.seek(-_END.size, SEEK_END)
        return _END.unpack(file.read())[0]


def _head(file: IO[bytes]) -> Head | None:
    version = np.lib.format.read_magic(file)
    if version == (3, 0):
        return None
    old = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return Head(shape, dtype)
