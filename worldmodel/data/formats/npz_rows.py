"""Rows of an array in an npz file, without reading or keeping the rest of it.

An npz file is a zip archive of npy files (numpy's `lib.format`). A deflated one can only be
inflated from its start; what inflating passes is marked, so that the next reading starts near by.
"""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, final

import numpy as np

from worldmodel.data.folder import Stamp
from worldmodel.errors import InputError

HIGHEST_COMPRESSION = 1032
"""Of deflate: bytes that one stored byte can become."""

MARK_EVERY = 32 * 2**20
"""Inflated bytes between places from which reading can go on."""

_LOCAL_HEADER = struct.Struct("<26xHH")
_PIECE = 2**14
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_BAD_HEADER = (
    ValueError,
    TypeError,
    SyntaxError,
    TokenError,
    RecursionError,
    MemoryError,
    OverflowError,
)
_BAD_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OSError,
)


@final
class NpzArray:
    """An array in an npz file; holds no open file.

    Args:
        path: The npz file.
        key: Name of the array.
        origin: What to call the file in an error.

    Attributes:
        shape: Of the array.
        dtype: Of the array; of pickled objects, `object`.

    Raises:
        InputError: There is no such array, or the file cannot hold as much as it declares.
    """

    def __init__(self, path: Path, key: str, origin: str) -> None:
        self._path, self._name = path, f"{origin}: {key}"
        with _opened(path, origin) as archive:
            info = _member(archive, key, origin)
            with archive.open(info) as file:
                self.shape, fortran, self.dtype = _header(file, self._name)
                self._first = file.tell()
        self._stored, self._size = info.compress_size, info.file_size
        self._deflated = info.compress_type == zipfile.ZIP_DEFLATED
        self._start = _start(path, info, self._name)
        self._row = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._check(info, fortran)
        self._marks = {0: (self._start, zlib.decompressobj(-zlib.MAX_WBITS))}

    def rows(self, wanted: range) -> np.ndarray:
        """Some consecutive rows, read-only.

        Raises:
            InputError: They are damaged, or not there.
        """
        if not 0 <= wanted.start <= wanted.stop <= self.shape[0]:
            raise InputError(
                f"{self._name}: expected rows of {self.shape[0]}, "
                f"got {wanted.start} to {wanted.stop}"
            )
        data = self._read(self._first + wanted.start * self._row, len(wanted) * self._row)
        return np.frombuffer(data, self.dtype).reshape(len(wanted), *self.shape[1:])

    def pickled(self, limit: int) -> bytes:
        """The pickle of an array of objects, which is not unpickled.

        Raises:
            InputError: It is damaged, or has more bytes than `limit`.
        """
        size = self._size - self._first
        if size > limit:
            raise InputError(f"{self._name}: expected at most {limit} bytes, got {size}")
        return self._read(self._first, size)

    def _check(self, info: zipfile.ZipInfo, fortran: bool) -> None:
        holds = self._stored * (HIGHEST_COMPRESSION if self._deflated else 1)
        declared = self._first + self.shape[0] * self._row if self.shape else 0
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{self._name}: expected a stored or deflated array")
        if self._size > holds or self._start + self._stored > self._path.stat().st_size:
            raise InputError(f"{self._name}: declares {self._size} bytes and stores {self._stored}")
        if self.dtype.hasobject:
            return
        if not self.shape or fortran or min(self.shape) < 0 or self._size != declared:
            raise InputError(
                f"{self._name}: expected an array in C order that fills {self._size} bytes, "
                f"got {self.dtype} {self.shape}"
            )

    def _read(self, first: int, count: int) -> bytes:
        try:
            data = self._inflated(first, count) if self._deflated else self._plain(first, count)
        except (OSError, zlib.error) as error:
            raise InputError(f"{self._name}: damaged ({error})") from error
        if len(data) < count:
            raise InputError(f"{self._name}: ends {count - len(data)} bytes too early")
        return data

    def _plain(self, first: int, count: int) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(self._start + first)
            return file.read(count)

    def _inflated(self, first: int, count: int) -> bytes:
        position = max(mark for mark in tuple(self._marks) if mark <= first)
        place, state = self._marks[position]
        state, marked, found = state.copy(), position, bytearray()
        with open(self._path, "rb") as file:
            file.seek(place)
            while len(found) < count and not state.eof:
                if not (piece := file.read(_PIECE)):
                    break
                data = state.decompress(piece)
                found += data[max(0, first - position) : max(0, first + count - position)]
                position += len(data)
                if position - marked >= MARK_EVERY and position <= first:
                    self._marks[position] = (file.tell(), state.copy())
                    marked = position
        return bytes(found)


@lru_cache(maxsize=16)
def npz_array(path: Path, stamp: Stamp, key: str, origin: str) -> NpzArray:
    """An array whose places are known once per process and version of the file; see `NpzArray`."""
    return NpzArray(path, key, origin)


@contextmanager
def _opened(path: Path, origin: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InputError:
        raise
    except _BAD_ARCHIVE as error:
        raise InputError(f"{origin}: no readable npz file ({error})") from error


def _member(archive: zipfile.ZipFile, key: str, origin: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(f"{key}.npy")
    except KeyError as error:
        names = ", ".join(name.removesuffix(".npy") for name in archive.namelist()[:20])
        raise InputError(f"{origin}: no array '{key}'; available: {names or 'nothing'}") from error


def _header(file: IO[bytes], origin: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type; Python 2's long numbers are understood."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            version = np.lib.format.read_magic(file)
            if version not in _HEADERS:
                raise InputError(f"{origin}: expected an npy header of version 1 or 2")
            return _HEADERS[version](file)
    except InputError:
        raise
    except _BAD_HEADER as error:
        raise InputError(f"{origin}: no readable npy header ({error})") from error


def _start(path: Path, info: zipfile.ZipInfo, origin: str) -> int:
    """Where the stored bytes of a member begin."""
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise InputError(f"{origin}: cut short")
    return info.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(header))
