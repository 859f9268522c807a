"""Attributes of HDF5 files of radar pictures, which are scalars or arrays of one."""

from __future__ import annotations

import h5py
import numpy as np

from worldmodel.errors import InputError


def text(item: h5py.Group | h5py.Dataset, key: str) -> str:
    """An attribute as text; empty if there is none."""
    value = np.ravel(item.attrs.get(key, ""))[:1]
    return "".join(
        one.decode("latin-1") if isinstance(one, bytes) else str(one) for one in value
    ).strip("\0 ")


def number(item: h5py.Group | h5py.Dataset, key: str) -> float:
    """An attribute as a number.

    Raises:
        InputError: There is none, or it is none.
    """
    value = np.ravel(item.attrs.get(key, ()))[:1]
    if value.size == 0 or value.dtype.kind not in "iuf":
        raise InputError(
            f"expected '{item.name}' to have a numeric attribute '{key}'; "
            f"available: {', '.join(item.attrs) or 'none'}"
        )
    return float(value[0])


def numbers(item: h5py.Group | h5py.Dataset, *keys: str) -> tuple[float, ...]:
    """Those of the attributes that there are."""
    return tuple(number(item, key) for key in keys if key in item.attrs)
