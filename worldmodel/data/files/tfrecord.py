"""TFRecord files of `tf.train.Example` messages, without TensorFlow.

A record is the length of its data (u64), the masked CRC-32C of the length (u32), the data, and its
masked CRC-32C (u32), all little-endian, as TensorFlow's `record_writer.h` has it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, final

import numpy as np

from worldmodel.data.optional import library
from worldmodel.data.recording import Flaw, Recording
from worldmodel.errors import InputError

_HEAD, _FOOT = struct.Struct("<QI"), struct.Struct("<I")
_MASK = 0xA282EAD8
_LISTED = 20


@final
class Example:
    """Named lists of numbers or of byte strings.

    Args:
        data: A serialised `tf.train.Example`.

    Raises:
        InputError: It is none.
    """

    def __init__(self, data: bytes) -> None:
        message = library("tfrecord.example_pb2").Example()
        try:
            message.ParseFromString(data)
        except library("google.protobuf.message").DecodeError as error:
            raise InputError(f"a record is no tf.train.Example ({error})") from error
        self._features: Mapping[str, Any] = message.features.feature

    def __contains__(self, key: str) -> bool:
        return key in self._features

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def floats(self, key: str) -> np.ndarray:
        """All values of a list of floats, float32 (n,).

        Raises:
            InputError: There is none of that name, or it holds NaN or infinity.
        """
        return finite(np.array(self._list(key, "float_list"), np.float32), key)

    def integers(self, key: str) -> Sequence[int]:
        """A list of integers.

        Raises:
            InputError: There is none of that name.
        """
        return self._list(key, "int64_list")

    def strings(self, key: str) -> Sequence[bytes]:
        """A list of byte strings.

        Raises:
            InputError: There is none of that name.
        """
        return self._list(key, "bytes_list")

    def _list(self, key: str, kind: str) -> Any:
        if key not in self._features:
            names = sorted(self._features)
            more = ", ..." if len(names) > _LISTED else ""
            available = ", ".join(names[:_LISTED]) + more or "nothing"
            raise InputError(f"no feature '{key}'; available: {available}")
        feature = self._features[key]
        found = feature.WhichOneof("kind")
        if found != kind:
            raise InputError(f"expected '{key}' to be a {kind}, got {found or 'nothing'}")
        return getattr(feature, kind).value


def finite(values: np.ndarray, key: str) -> np.ndarray:
    """The values.

    Raises:
        InputError: Some are NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise InputError(f"'{key}' holds NaN or infinity")
    return values


def read_example(path: Path, offset: int) -> Example:
    """The record that begins at a byte of a file.

    Raises:
        InputError: It is damaged.
    """
    with _opened(path) as (file, end):
        file.seek(offset)
        size = _data_size(file, end)
        data, checksum = file.read(size), file.read(_FOOT.size)
    if _FOOT.pack(_masked_crc(data)) != checksum:
        raise InputError("a record differs from its checksum")
    return Example(data)


def scan_records(
    path: Path, file: str, read: Callable[[str, int, Example], Recording], expected: int = 1
) -> Iterator[Recording | Flaw]:
    """What there is in a file of recordings, one per record, called `file/number`.

    Args:
        path: The file on this machine.
        file: The same, relative to the folder.
        read: A recording from its name, first byte and content; may raise `InputError`.
        expected: Least number of records.
    """
    count = 0
    try:
        for offset in _offsets(path):
            name = f"{file}/{count}"
            count += 1
            try:
                yield read(name, offset, read_example(path, offset))
            except InputError as error:
                yield Flaw.of(error, file, name)
    except InputError as error:
        yield Flaw.of(error, file)
        return
    if count < expected:
        yield Flaw(file, "", f"expected at least {expected} records, got {count}")


def first_example(path: Path) -> Example | None:
    """The first record; None if there is none.

    Raises:
        InputError: It is damaged.
    """
    return next((read_example(path, offset) for offset in _offsets(path)), None)


def _offsets(path: Path) -> Iterator[int]:
    """First byte of each record, by the lengths alone."""
    with _opened(path) as (file, end):
        offset = 0
        while offset < end:
            file.seek(offset)
            size = _data_size(file, end)
            yield offset
            offset += _HEAD.size + size + _FOOT.size


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """A file and its size."""
    try:
        with path.open("rb") as file:
            yield file, file.seek(0, os.SEEK_END)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from error


def _data_size(file: IO[bytes], end: int) -> int:
    """Bytes of data of the record that begins here, all of which the file holds."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise InputError("the file ends within a record")
    size, checksum = _HEAD.unpack(head)
    if checksum != _masked_crc(head[: -_FOOT.size]):
        raise InputError(
            "no TFRecord, or damaged: the length of a record differs from its checksum"
        )
    if file.tell() + size + _FOOT.size > end:
        raise InputError("the file ends within a record")
    return size


def _masked_crc(data: bytes) -> int:
    checksum = library("crc32c").crc32c(data)
    return ((checksum >> 15 | checksum << 17) + _MASK) & 0xFFFFFFFF
