"""Changes to HDF5 files of several recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Change = Callable[[np.ndarray], Any]
Apply = Callable[[Path], None]


def edited(file: str, key: str, change: Change) -> Apply:
    """Replace a dataset by what `change` makes of its values."""

    def apply(folder: Path) -> None:
        with h5py.File(folder / file, "a") as opened:
            values = _values(opened, key)
            del opened[key]
            opened[key] = change(values)

    return apply


def removed(file: str, key: str) -> Apply:
    """Remove a dataset, or a group."""

    def apply(folder: Path) -> None:
        with h5py.File(folder / file, "a") as opened:
            del opened[key]

    return apply


def declared(file: str, key: str, shape: tuple[int, ...], dtype: type) -> Apply:
    """Replace a dataset by one that declares a shape and stores nothing."""

    def apply(folder: Path) -> None:
        with h5py.File(folder / file, "a") as opened:
            del opened[key]
            opened.create_dataset(key, shape, dtype, chunks=(1, *shape[1:]))

    return apply


def partly_stored(file: str, key: str) -> Apply:
    """Store a dataset anew, all but its last row."""

    def apply(folder: Path) -> None:
        with h5py.File(folder / file, "a") as opened:
            values = _values(opened, key)
            del opened[key]
            chunk = (1, *values.shape[1:])
            opened.create_dataset(key, values.shape, values.dtype, chunks=chunk)[:-1] = values[:-1]

    return apply


def with_value(value: float) -> Change:
    """Put a value into the second row."""

    def change(values: np.ndarray) -> np.ndarray:
        values[1, 0] = value
        return values

    return change


def _values(file: h5py.File, key: str) -> np.ndarray:
    dataset = file[key]
    assert isinstance(dataset, h5py.Dataset)
    return dataset[()]
