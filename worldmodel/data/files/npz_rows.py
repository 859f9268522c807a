"""Rows of an array in an npz file, without keeping the rest of it.

An npz file is a zip archive of npy files (numpy's `lib.format`). What is deflated can only be
inflated from its start, and damage to it shows only in the checksum of all of it. So the first
reading goes through everything once, checks it, and marks places for later ones to start at.
"""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Stamp
from worldmodel.data.files.npy import BAD_HEADER
from worldmodel.errors import InputError

HIGHEST_COMPRESSION = 1032
"""Of deflate: bytes that one stored byte can become."""

MARK_EVERY = 64 * 2**20
"""Inflated bytes between marks, each of which takes some 40 kB of memory."""

_PIECE = 2**14
_ARRAYS = 128
_LOCAL_HEADER = struct.Struct("<26xHH")
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
BAD_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OSError,
)
"""What `zipfile` raises at an archive that is damaged."""


class _Mark(NamedTuple):
    """Where reading can start: a place in the file, and what inflates from there, if needed."""

    place: int
    inflating: Any


@final
class NpzArray:
    """An array in an npz file; holds no open file.

    Args:
        path: The npz file.
        key: Name of the array.

    Attributes:
        shape: Of the array.
        dtype: Of the array; of pickled objects, `object`.

    Raises:
        InputError: There is no such array, or the file cannot hold as much as it declares.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._name = path, key
        with _opened(path) as archive:
            info = _member(archive, key)
            with archive.open(info) as file:
                self.shape, fortran, self.dtype = _header(file, key)
                self._first = file.tell()
        self._size, self._checksum = info.file_size, info.CRC
        self._start = _start(path, info, key)
        self._end = self._start + info.compress_size
        self._deflated = info.compress_type == zipfile.ZIP_DEFLATED
        self._row = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._check_size(info)
        self._check_shape(fortran)

    def rows(self, wanted: range) -> np.ndarray:
        """Some consecutive rows, read-only.

        Raises:
            InputError: They are damaged, or not there.
        """
        if not 0 <= wanted.start <= wanted.stop <= self.shape[0]:
            raise InputError(
                f"{self._name}: expected some of {self.shape[0]} rows, "
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

    def _check_size(self, info: zipfile.ZipInfo) -> None:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{self._name}: expected a stored or deflated array")
        holds = info.compress_size * (HIGHEST_COMPRESSION if self._deflated else 1)
        if self._size > holds or self._end > self._path.stat().st_size:
            raise InputError(
                f"{self._name}: declares {self._size} bytes and stores {info.compress_size}"
            )

    def _check_shape(self, fortran: bool) -> None:
        if self.dtype.hasobject:
            return
        whole = bool(self.shape) and min(self.shape) >= 0 and not fortran
        if not whole or self._size != self._first + self.shape[0] * self._row:
            raise InputError(
                f"{self._name}: expected an array in C order that fills {self._size} bytes, "
                f"got {self.dtype} {self.shape}"
            )

    def _read(self, first: int, count: int) -> bytes:
        start = max(start for start in self._marks if start <= first)
        mark = self._marks[start]
        if mark.inflating is None:
            start, mark = first, _Mark(self._start + first, None)
        found, skipped = bytearray(), first - start
        for data, _ in self._pieces(mark):
            found += data[skipped : skipped + count - len(found)]
            skipped = max(0, skipped - len(data))
            if len(found) == count:
                return bytes(found)
        raise InputError(f"{self._name}: ends too early")

    @cached_property
    def _marks(self) -> dict[int, _Mark]:
        """Marks by the number of bytes before them, of an array that is undamaged."""
        first = _Mark(self._start, zlib.decompressobj(-zlib.MAX_WBITS) if self._deflated else None)
        position, checksum, marks = 0, 0, {0: first}
        for data, (place, inflating) in self._pieces(first):
            position, checksum = position + len(data), zlib.crc32(data, checksum)
            if inflating and position - max(marks) >= MARK_EVERY:
                marks[position] = _Mark(place, inflating.copy())
        if (position, checksum) != (self._size, self._checksum):
            raise InputError(f"{self._name}: damaged, its checksum is another one")
        return marks

    def _pieces(self, mark: _Mark) -> Iterator[tuple[bytes, _Mark]]:
        """What follows a mark, and the mark after each piece of it."""
        place, inflating = mark.place, mark.inflating and mark.inflating.copy()
        try:
            with open(self._path, "rb") as file:
                file.seek(place)
                while piece := file.read(min(_PIECE, self._end - place)):
                    place += len(piece)
                    data = inflating.decompress(piece) if inflating else piece
                    yield data, _Mark(place, inflating)
        except (OSError, zlib.error) as error:
            raise InputError(f"{self._name}: damaged ({error})") from error


@lru_cache(maxsize=_ARRAYS)
def npz_array(path: Path, stamp: Stamp, key: str) -> NpzArray:
    """An array that is looked through once per process and version of its file."""
    return NpzArray(path, key)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InputError:
        raise
    except BAD_ARCHIVE as error:
        raise InputError(f"no readable npz file ({error})") from error


def _member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(f"{key}.npy")
    except KeyError as error:
        names = ", ".join(name.removesuffix(".npy") for name in archive.namelist()[:20])
        raise InputError(f"no array '{key}'; available: {names or 'none'}") from error


def _header(file: IO[bytes], key: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type; Python 2's long numbers are understood."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            version = np.lib.format.read_magic(file)
            if version not in _NPY_HEADERS:
                raise InputError(f"{key}: expected an npy header of version 1 or 2")
            return _NPY_HEADERS[version](file)
    except InputError:
        raise
    except BAD_HEADER as error:
        raise InputError(f"{key}: no readable npy header ({error})") from error


def _start(path: Path, info: zipfile.ZipInfo, key: str) -> int:
    """Where the stored bytes of a member begin."""
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise InputError(f"{key}: cut short")
    return info.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(header))
