"""IDX, the format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from worldmodel.errors import InputError

LARGEST = 2**30
"""Bytes of a file at most, unpacked."""

_UNSIGNED_BYTES = 0x08
_MOST_AXES = 32


def read_idx(path: Path | str) -> np.ndarray:
    """An array of bytes from an IDX file, gzipped or not: MNIST's images are (N, 28, 28).

    Raises:
        InputError: The file is missing, damaged, holds other numbers than unsigned bytes, or not
            as many as it declares.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            with gzip.open(path) as stream:
                content = stream.read(LARGEST + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(f"{path}: damaged gzip file ({error})") from error
    if (
        len(content) < 4
        or content[:2] != b"\0\0"
        or content[2] != _UNSIGNED_BYTES
        or content[3] > _MOST_AXES
    ):
        raise InputError(f"{path}: expected an IDX file of unsigned bytes, got {content[:4]!r}")
    head = 4 + 4 * content[3]
    sides = content[4:head].ljust(head - 4, b"\xff")
    shape = tuple(int(side) for side in np.frombuffer(sides, ">u4"))
    declared = math.prod(shape)
    if len(content) - head != declared:
        raise InputError(
            f"{path}: declares {shape}, that is {declared} bytes, and holds {len(content) - head}"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
