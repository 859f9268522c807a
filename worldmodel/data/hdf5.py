"""HDF5 access that says which file lacks what, and what it has instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from worldmodel.errors import InputError


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open for reading.

    Raises:
        InputError: The library cannot open it, or fails to read from it inside the block.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error})") from error


def find_dataset(file: h5py.File, key: str) -> h5py.Dataset:
    """The dataset of that key.

    Raises:
        InputError: There is none; lists the keys there are.
    """
    item = file.get(key)
    if not isinstance(item, h5py.Dataset):
        raise InputError(f"{file.filename}: no dataset '{key}'; available: {_available(file)}")
    return item


def find_group(file: h5py.File, key: str) -> h5py.Group:
    """The group of that key.

    Raises:
        InputError: There is none; lists the keys there are.
    """
    item = file.get(key)
    if not isinstance(item, h5py.Group):
        raise InputError(f"{file.filename}: no group '{key}'; available: {_available(file)}")
    return item


def _available(file: h5py.File) -> str:
    keys: list[str] = []
    file.visit(keys.append)
    return ", ".join(keys[:20]) + (", ..." if len(keys) > 20 else "") or "nothing"


def numeric_attribute(item: h5py.Group | h5py.Dataset, key: str) -> np.ndarray:
    """An attribute that is a number or an array of numbers.

    Raises:
        InputError: There is none; lists the attributes there are.
    """
    value = np.asarray(item.attrs.get(key))
    if value.dtype.kind not in "iuf":
        raise InputError(
            f"{item.file.filename}: '{item.name}' has no numeric attribute '{key}'; "
            f"available: {', '.join(item.attrs) or 'none'}"
        )
    return value


def text_attribute(item: h5py.Group | h5py.Dataset, key: str) -> str:
    """An attribute as text; empty if there is none."""
    value = item.attrs.get(key, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def read_finite(file: h5py.File, key: str) -> np.ndarray:
    """Read a (T, D) array of finite floats, as float32.

    Raises:
        InputError: It is missing, has another shape or type, or holds NaN or infinity.
    """
    dataset = find_dataset(file, key)
    if dataset.ndim != 2 or not np.issubdtype(dataset.dtype, np.floating):
        raise InputError(
            f"{file.filename}: expected '{key}' to be floating point (T, D), "
            f"got {dataset.dtype} {dataset.shape}"
        )
    values = dataset[:]
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise InputError(
            f"{file.filename}: '{key}' holds NaN or infinity at {len(bad)} of {len(values)} steps, "
            f"first at step {bad[0]}"
        )
    return values.astype(np.float32)
