"""Files of TFRecords, written and damaged."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tfrecord.writer import TFRecordWriter

Features = Mapping[str, tuple[Any, str]]
"""Values of each feature, and their kind: "float", "int" or "byte"."""


def write_records(path: Path, records: Sequence[Features]) -> None:
    """A file of `tf.train.Example` messages, by the tfrecord package."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(TFRecordWriter(str(path))) as writer:
        for record in records:
            writer.write(dict(record))


def framed(data: bytes, size: int | None = None) -> bytes:
    """A record; `size` is what it declares, if not the truth."""
    head = struct.pack("<Q", len(data) if size is None else size)
    checksum = TFRecordWriter.masked_crc
    return head + checksum(head) + data + checksum(data)


def payloads(path: Path) -> list[bytes]:
    """The data of all records."""
    stored, found = path.read_bytes(), []
    while stored:
        (size,) = struct.unpack("<Q", stored[:8])
        found.append(stored[12 : 12 + size])
        stored = stored[16 + size :]
    return found


def changed(
    file: str, number: int, change: Callable[[dict[str, tuple[Any, str]]], object]
) -> Callable[[Path], None]:
    """Damage that changes the features of one record of a file."""

    def apply(folder: Path) -> None:
        data = payloads(folder / file)
        record = features(data[number])
        change(record)
        data[number] = TFRecordWriter.serialize_tf_example(record)
        (folder / file).write_bytes(b"".join(map(framed, data)))

    return apply


def replaced(file: str, number: int, harm: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Damage that changes the bytes of one record of a file, from its data to its frame."""

    def apply(folder: Path) -> None:
        frames = [framed(data) for data in payloads(folder / file)]
        frames[number] = harm(frames[number])
        (folder / file).write_bytes(b"".join(frames))

    return apply


def flipped(at: int) -> Callable[[bytes], bytes]:
    """Harm that inverts a byte."""

    def harm(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]

    return harm


def features(data: bytes) -> dict[str, tuple[Any, str]]:
    """What a serialised `tf.train.Example` holds, to be written again."""
    from importlib import import_module

    message = import_module("tfrecord.example_pb2").Example()
    message.ParseFromString(data)
    found = {}
    for key, feature in message.features.feature.items():
        kind = feature.WhichOneof("kind")
        short = {"float_list": "float", "int64_list": "int", "bytes_list": "byte"}[kind]
        found[key] = list(getattr(feature, kind).value), short
    return found
