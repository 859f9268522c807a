"""HDF5 access that says which file lacks what, and what it has instead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from worldmodel.errors import InputError

HIGHEST_COMPRESSION = 1032
"""Of deflate, the strongest usual filter: bytes that one stored byte can become."""

DAMAGE = (
    OSError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)
"""What h5py raises where a file's structures are damaged."""

LOOKED_INTO = 8
"""Files that are opened to find out a format: the first may be damaged."""

SMALL = 2**20
"""Bytes that may be read whatever is stored."""

_MOST_LISTED = 20


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open for reading; nothing may be written into it meanwhile.

    Raises:
        InputError: The library cannot open it, or fails to read from it inside the block.
    """
    with damage_told("not a readable HDF5 file"), h5py.File(path, "r") as file:
        yield file


@contextmanager
def damage_told(what: str = "damaged HDF5") -> Iterator[None]:
    """What the library stumbles over inside becomes an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{what} ({error})") from error


def groups_of(path: Path) -> frozenset[str]:
    """Names at the top of a file; none if it is not readable."""
    try:
        with opened(path) as file:
            return frozenset(file)
    except InputError:
        return frozenset()


def find_dataset(group: h5py.Group, key: str) -> h5py.Dataset:
    """The dataset of that key.

    Raises:
        InputError: There is none; lists the keys there are.
    """
    item = group.get(key)
    if not isinstance(item, h5py.Dataset):
        raise InputError(f"no dataset '{key}'; available: {_available(group)}")
    return item


def find_group(group: h5py.Group, key: str) -> h5py.Group:
    """The group of that key.

    Raises:
        InputError: There is none; lists the keys there are.
    """
    item = group.get(key)
    if not isinstance(item, h5py.Group):
        raise InputError(f"no group '{key}'; available: {_available(group)}")
    return item


def _available(group: h5py.Group) -> str:
    keys: list[str] = []

    def listed(key: object) -> bool | None:
        keys.append(str(key))
        return len(keys) > _MOST_LISTED or None

    group.visit(listed)
    more = ", ..." if len(keys) > _MOST_LISTED else ""
    return ", ".join(keys[:_MOST_LISTED]) + more or "nothing"


def numeric_attribute(item: h5py.Group | h5py.Dataset, key: str) -> np.ndarray:
    """An attribute that is a number or an array of numbers.

    Raises:
        InputError: There is none; lists the attributes there are.
    """
    value = np.asarray(item.attrs.get(key))
    if value.dtype.kind not in "iuf":
        raise InputError(
            f"'{item.name}' has no numeric attribute '{key}'; "
            f"available: {', '.join(item.attrs) or 'none'}"
        )
    return value


def text_attribute(item: h5py.Group | h5py.Dataset, key: str) -> str:
    """An attribute as text; empty if there is none."""
    value = item.attrs.get(key, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def read_all(dataset: h5py.Dataset) -> np.ndarray:
    """All of a dataset.

    Raises:
        InputError: It declares more than the file stores for it.
    """
    check_stored(dataset)
    return dataset[:]


def check_stored(dataset: h5py.Dataset) -> None:
    """Refuse a dataset of which not all is stored: the rest would be read as zeros.

    Raises:
        InputError: Parts are missing, or no compression could make so little of so much.
    """
    stored = dataset.id.get_storage_size()
    if not _is_whole(dataset) or dataset.nbytes > SMALL + stored * HIGHEST_COMPRESSION:
        raise InputError(
            f"'{dataset.name}' declares {dataset.nbytes} bytes {dataset.shape} and stores {stored}"
        )


def _is_whole(dataset: h5py.Dataset) -> bool:
    if not dataset.chunks:
        return dataset.id.get_storage_size() >= dataset.nbytes
    sides = zip(dataset.shape, dataset.chunks, strict=True)
    return dataset.id.get_num_chunks() >= math.prod(-(-side // chunk) for side, chunk in sides)
