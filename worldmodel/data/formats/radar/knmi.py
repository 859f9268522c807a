"""Radar composites of the Royal Netherlands Meteorological Institute: HDF5, one per time.

`image1/image_data` holds numbers, `image1/calibration` what they stand for, `overview` the time;
see `import_knmi_hdf5` of https://github.com/pySTEPS/pysteps. Rain is collected from the product's
start to its end, and its picture is of its end, as in the names of the files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import final

import h5py
import numpy as np

from worldmodel.data.files.hdf5 import find_group, opened, read_all
from worldmodel.data.format import Format
from worldmodel.data.formats.events import parsed
from worldmodel.data.formats.radar.attributes import numbers, text
from worldmodel.data.formats.radar.packing import Packing
from worldmodel.data.formats.radar.radar_files import Head, RadarFiles, picture_dataset
from worldmodel.errors import InputError

_KEY = "image1/image_data"
_TIME = "%d-%b-%Y;%H:%M:%S.%f"
_NUMBER = r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)"
_FORMULA = re.compile(rf"GEO={_NUMBER}\*PV\+?{_NUMBER}")


@final
class KNMI(RadarFiles):
    """HDF5 files of accumulated rain, or of reflectivity, in a folder."""

    suffixes = (".h5", ".hdf5", ".hdf")

    @classmethod
    def belongs(cls, path: Path) -> bool:
        """Whether it has a calibrated image and its time."""
        with opened(path) as file:
            return "image1/calibration" in file and "overview" in file

    @classmethod
    def head(cls, path: Path) -> Head:
        """What the attributes say."""
        with opened(path) as file:
            overview = find_group(file, "overview")
            dataset = picture_dataset(file, _KEY)
            start, end = (
                parsed(text(overview, f"product_datetime_{which}"), _TIME)
                for which in ("start", "end")
            )
            return Head(
                time=end,
                product=text(find_group(file, "image1"), "image_product_name"),
                height=dataset.shape[0],
                width=dataset.shape[1],
                packing=_packing(file, dataset.dtype, (end - start) / 3600),
            )

    @classmethod
    def numbers(cls, path: Path) -> np.ndarray:
        """The image."""
        with opened(path) as file:
            return read_all(picture_dataset(file, _KEY))


def _packing(file: h5py.File, dtype: np.dtype, hours: float) -> Packing:
    parameter = text(find_group(file, "image1"), "image_geo_parameter")
    calibration = find_group(file, "image1/calibration")
    formula = _FORMULA.fullmatch(text(calibration, "calibration_formulas").replace(" ", ""))
    if formula is None:
        raise InputError(
            "expected calibration_formulas such as GEO=0.01*PV+0.0, "
            f"got {text(calibration, 'calibration_formulas')!r}"
        )
    missing = numbers(calibration, "calibration_missing_data", "calibration_out_of_image")
    gain, offset = (_float(value) for value in formula.groups())
    if parameter.endswith("[DBZ]"):
        return Packing("dBZ", gain, offset, missing, bytewise=dtype == np.uint8)
    if parameter == "ACCUMULATED_PRECIPITATION_[MM]":
        return Packing("mm", gain, offset, missing, hours=hours)
    raise InputError(
        f"expected ACCUMULATED_PRECIPITATION_[MM] or reflectivity in [DBZ], got {parameter!r}"
    )


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"expected a number in calibration_formulas, got {text!r}") from error


FORMAT = Format("knmi", "KNMI radar HDF5", KNMI)
