"""KNMI data sets for the contract."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, final

import h5py
import numpy as np

from formats.case import Damage, FormatCase, Truth
from formats.radar import EVENTS, FIVE_MINUTES, Event, shower, truth
from worldmodel.data.formats.radar.knmi import KNMI

UNSEEN = 65535


def name_of(event: Event, time: datetime) -> str:
    name = f"RAD_NL25_RAP_5min_{time:%Y%m%d%H%M}.h5"
    return f"{event.folder}/{name}" if event.folder else name


def written(time: datetime) -> np.ndarray:
    return np.array([f"{time:%d-%b-%Y;%H:%M:%S}.000".upper().encode()])


def write_picture(path: Path, time: datetime, stored: np.ndarray, **image: Any) -> None:
    """Write what KNMI does; `image` replaces attributes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    calibration = {
        "calibration_flag": np.bytes_(b"Y"),
        "calibration_formulas": np.bytes_(image.pop("formula", "GEO=0.01*PV+0.0")),
        "calibration_missing_data": np.array([image.pop("missing", UNSEEN)], np.int32),
        "calibration_out_of_image": np.array([image.pop("outside", UNSEEN)], np.int32),
    }
    with h5py.File(path, "w") as file:
        file.create_group("geographic").attrs["geo_number_rows"] = np.array([stored.shape[0]])
        file.create_dataset("image1/image_data", data=stored, compression="gzip")
        file["image1"].attrs.update(
            {
                "image_geo_parameter": np.bytes_(b"ACCUMULATED_PRECIPITATION_[MM]"),
                "image_product_name": np.bytes_(b"RAD_NL25_RAU_H1.5_5mi"),
            }
            | image
        )
        file.create_group("image1/calibration").attrs.update(calibration)
        file.create_group("overview").attrs.update(
            {
                "hdftag_version_number": np.bytes_(b"3.5"),
                "product_datetime_start": written(time - FIVE_MINUTES),
                "product_datetime_end": written(time),
            }
        )


@final
class KNMICase(FormatCase):
    """Amounts of rain in five minutes, two events in a folder and one below it."""

    reader = KNMI

    def write(self, folder: Path) -> list[Truth]:
        """Write six files."""
        truths = []
        for number, event in enumerate(EVENTS):
            rate, unseen = shower(number, event.length)
            stored = np.rint(rate / 12 * 100)
            for time, picture in zip(event.times, np.where(unseen, UNSEEN, stored), strict=True):
                write_picture(folder / name_of(event, time), time, picture.astype(np.uint16))
            truths.append(truth(event, _pixels(np.where(unseen, 0, stored) * 0.12), unseen))
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the last event."""
        lost = (EVENTS[2].name,)
        start, image = EVENTS[2].start, "image1/image_data"
        return {
            "no formula": Damage(
                _changed("image1/calibration", calibration_formulas=None), "such as GEO", lost
            ),
            "another formula": Damage(
                _changed("image1/calibration", calibration_formulas=b"GEO=10^(PV*0.1)"),
                "such as GEO",
                lost,
            ),
            "a formula of dots": Damage(
                _changed("image1/calibration", calibration_formulas=b"GEO=0.0.1*PV+0.0"),
                "expected a number",
                lost,
            ),
            "no gain": Damage(
                _changed("image1/calibration", calibration_formulas=b"GEO=0.0*PV+0.0"),
                "gain above 0",
                lost,
            ),
            "missing in words": Damage(
                _changed("image1/calibration", calibration_missing_data=b"none"),
                "numeric attribute 'calibration_missing_data'",
                lost,
            ),
            "another quantity": Damage(
                _changed("image1", image_geo_parameter=b"HEIGHT_[KM]"), "HEIGHT_", lost
            ),
            "another product": Damage(
                _changed("image1", image_product_name=b"RAD_NL21"), "product or size", lost
            ),
            "no time": Damage(
                _changed("overview", product_datetime_end=b"NA"), "expected a time like", lost
            ),
            "no duration": Damage(
                _changed("overview", product_datetime_start=written(start)), "0 hours", lost
            ),
            "no image": Damage(_stored(image, None), "no dataset", lost),
            "text": Damage(_stored(image, np.full((24, 32), b"x")), "hold numbers", lost),
            "a cube": Damage(
                _stored(image, np.zeros((1, 24, 32), np.uint16)), "hold numbers", lost
            ),
            "no pixel": Damage(_stored(image, np.zeros((0, 32), np.uint16)), "product or", lost),
            "narrower": Damage(
                _stored(image, np.zeros((24, 30), np.uint16)), "product or size", lost
            ),
            "huge": Damage(_declare(2**20), "at most 16384 pixels", lost),
            "large but empty": Damage(_declare(2**14), "product or size", lost),
        }


def _pixels(rate: np.ndarray) -> np.ndarray:
    """The published formula, one pixel at a time."""
    pixels = np.zeros(rate.shape, np.uint8)
    for index in np.ndindex(rate.shape):
        if rate[index] > 0:
            level = 10 * math.log10(200 * float(rate[index]) ** 1.6)
            pixels[index] = min(255, max(0, round(255 * (level + 10) / 70)))
    return pixels


def _opened(folder: Path) -> h5py.File:
    return h5py.File(folder / name_of(EVENTS[2], EVENTS[2].start), "a")


def _changed(group: str, **attributes: bytes | np.ndarray | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with _opened(folder) as file:
            for key, value in attributes.items():
                del file[group].attrs[key]
                if value is not None:
                    file[group].attrs[key] = value

    return apply


def _stored(key: str, values: np.ndarray | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with _opened(folder) as file:
            del file[key]
            if values is not None:
                file[key] = values

    return apply


def _declare(side: int) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with _opened(folder) as file:
            del file["image1/image_data"]
            file.create_dataset("image1/image_data", (side, side), np.uint16, chunks=(64, 64))

    return apply
