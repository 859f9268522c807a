"""Arrays of recordings that share an HDF5 file; no size is believed that is not stored."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import h5py
import numpy as np

from worldmodel.data.files.hdf5 import check_stored, find_dataset
from worldmodel.data.formats.signals import matrix
from worldmodel.errors import InputError


class Layout(NamedTuple):
    """How a picture is stored.

    Attributes:
        height: In pixels.
        width: In pixels.
        channels: 1 or 3.
        channels_first: Whether as (C, H, W) rather than (H, W, C).
    """

    height: int
    width: int
    channels: int
    channels_first: bool


def array_in(group: h5py.Group, key: str) -> h5py.Dataset:
    """A dataset in a group, every value of which is stored.

    Raises:
        InputError: There is none, or it declares more than is stored.
    """
    dataset = find_dataset(group, key)
    check_stored(dataset)
    return dataset


def numbers_in(group: h5py.Group, keys: Iterable[str], length: int) -> np.ndarray:
    """Datasets of finite numbers, side by side.

    Args:
        group: Which holds them.
        keys: Of the datasets.
        length: Rows that each must have.

    Returns:
        float32 or float64 (length, D); integers become float64.

    Raises:
        InputError: One is missing, has another length, or holds what is no finite number.
    """
    columns = [_numbers(array_in(group, key), key, length) for key in keys]
    return np.hstack(columns) if columns else np.zeros((length, 0), np.float32)


def _numbers(dataset: h5py.Dataset, key: str, length: int) -> np.ndarray:
    if dataset.dtype.kind not in "iuf" or not dataset.shape:
        raise InputError(f"expected '{key}' to be numbers, got {dataset.dtype} {dataset.shape}")
    if len(dataset) != length:
        raise InputError(f"expected {length} rows of '{key}', got {len(dataset)}")
    return matrix(dataset[:].reshape(length, math.prod(dataset.shape[1:])), f"values of '{key}'")


def picture_layout(shape: tuple[int, ...]) -> Layout | None:
    """How pictures of a shape are stored; None if they can be none."""
    if len(shape) == 3 and shape[2] in (1, 3):
        return Layout(shape[0], shape[1], shape[2], channels_first=False)
    if len(shape) == 3 and shape[0] in (1, 3):
        return Layout(shape[1], shape[2], shape[0], channels_first=True)
    return None


def raw_pictures(dataset: h5py.Dataset, steps: range) -> np.ndarray:
    """Some pictures of a dataset, uint8 (n, H, W, C), whichever way they are stored."""
    layout = picture_layout(dataset.shape[1:])
    pixels = dataset[steps.start : steps.stop]
    if layout is not None and layout.channels_first:
        pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    return pixels
