"""Radar composites and images in ODIM_H5, the HDF5 of OPERA and most European services.

Follows "EUMETNET OPERA weather radar information model for implementation with the HDF5 file
format", version 2.4: `what` of the file holds its time, `what` of a data set or of its data the
packing. Polar volumes and scans are no pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, final

import h5py
import numpy as np

from worldmodel.data.files.hdf5 import find_group, opened, read_all
from worldmodel.data.format import Format
from worldmodel.data.formats.events import parsed
from worldmodel.data.formats.radar.attributes import number, numbers, text
from worldmodel.data.formats.radar.packing import Packing
from worldmodel.data.formats.radar.radar_files import Head, RadarFiles, picture_dataset
from worldmodel.errors import InputError

OBJECTS = ("COMP", "IMAGE")
"""Kinds of files that hold Cartesian pictures."""

UNITS: dict[str, Literal["dBZ", "mm", "kg/m2"]] = {
    "DBZH": "dBZ",
    "DBZV": "dBZ",
    "TH": "dBZ",
    "TV": "dBZ",
    "RATE": "mm",
    "ACRR": "mm",
    "VIL": "kg/m2",
}
"""Of the quantities that are read."""

_TIME = "%Y%m%d%H%M%S"


class _Found(NamedTuple):
    key: str
    quantity: str
    whats: tuple[h5py.Group, ...]


@final
class ODIM(RadarFiles):
    """ODIM_H5 files in a folder; of several quantities in a file, the first that is known."""

    suffixes = (".h5", ".hdf", ".hdf5")

    @classmethod
    def belongs(cls, path: Path) -> bool:
        """Whether it follows the conventions."""
        with opened(path) as file:
            return text(file, "Conventions").startswith("ODIM_H5")

    @classmethod
    def head(cls, path: Path) -> Head:
        """What the attributes say."""
        with opened(path) as file:
            what = find_group(file, "what")
            kind = text(what, "object")
            if kind not in OBJECTS:
                raise InputError(f"expected an object {' or '.join(OBJECTS)}, got {kind!r}")
            found = _found(file)
            dataset = picture_dataset(file, found.key)
            return Head(
                time=parsed(text(what, "date") + text(what, "time"), _TIME),
                product=" ".join((kind, text(what, "source"), found.quantity)),
                height=dataset.shape[0],
                width=dataset.shape[1],
                packing=_packing(found, dataset.dtype),
            )

    @classmethod
    def numbers(cls, path: Path) -> np.ndarray:
        """The data of the quantity."""
        with opened(path) as file:
            return read_all(picture_dataset(file, _found(file).key))


def _found(file: h5py.File) -> _Found:
    """The first data of a quantity that is known."""
    quantities = []
    for key, whats in _data(file):
        quantity = next(filter(None, (text(what, "quantity") for what in whats)), "")
        if quantity in UNITS:
            return _Found(f"{key}/data", quantity, whats)
        quantities.append(quantity)
    raise InputError(
        f"expected one of {', '.join(UNITS)}, got {', '.join(quantities) or 'nothing'}"
    )


def _data(file: h5py.File) -> Iterator[tuple[str, tuple[h5py.Group, ...]]]:
    """Each group of data, and the `what` that holds for it, the closest first."""
    for outer in _numbered(file, "dataset"):
        for inner in _numbered(find_group(file, outer), "data"):
            whats = (file.get(f"{outer}/{inner}/what"), file.get(f"{outer}/what"))
            yield (
                f"{outer}/{inner}",
                tuple(what for what in whats if isinstance(what, h5py.Group)),
            )


def _numbered(group: h5py.Group, name: str) -> list[str]:
    keys = (key for key in map(str, group) if re.fullmatch(rf"{name}\d{{1,9}}", key))
    return sorted(keys, key=lambda key: int(key.removeprefix(name)))


def _packing(found: _Found, dtype: np.dtype) -> Packing:
    nearest = {key: what for what in reversed(found.whats) for key in what.attrs}
    absent = {"gain", "offset"} - set(nearest)
    if absent:
        raise InputError(f"expected gain and offset of {found.quantity}, got no {min(absent)}")
    return Packing(
        unit=UNITS[found.quantity],
        gain=number(nearest["gain"], "gain"),
        offset=number(nearest["offset"], "offset"),
        missing=numbers(nearest["nodata"], "nodata") if "nodata" in nearest else (),
        dry=numbers(nearest["undetect"], "undetect") if "undetect" in nearest else (),
        hours=_hours(nearest) if found.quantity == "ACRR" else 1.0,
        bytewise=dtype == np.uint8,
    )


def _hours(nearest: dict[str, h5py.Group]) -> float:
    start, end = (
        parsed("".join(text(nearest[key], key) for key in keys if key in nearest), _TIME)
        for keys in (("startdate", "starttime"), ("enddate", "endtime"))
    )
    return (end - start) / 3600


FORMAT = Format("odim", "ODIM_H5 radar", ODIM)
