"""ODIM_H5 data sets for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, final

import h5py
import numpy as np

from formats.case import Damage, FormatCase, Truth
from formats.radar import EVENTS, FIVE_MINUTES, Event, shower, truth
from worldmodel.data.formats.radar.odim import ODIM


class Packed(NamedTuple):
    """How an event is stored."""

    dtype: type
    gain: float
    offset: float
    nodata: float
    undetect: float
    at_data: bool


PACKED = (
    Packed(np.uint8, 0.5, -32.0, 255, 0, at_data=True),
    Packed(np.uint16, 0.01, -64.0, 65535, 0, at_data=True),
    Packed(np.float64, 1.0, 0.0, -9999000.0, -8888000.0, at_data=False),
)


def name_of(event: Event, time: datetime) -> str:
    name = f"T_PAAH21_C_EUOC_{time:%Y%m%d%H%M%S}.hdf"
    return f"{event.folder}/{name}" if event.folder else name


def write_picture(
    path: Path,
    time: datetime,
    stored: np.ndarray,
    packed: Packed,
    quantity: str = "DBZH",
    kind: str = "COMP",
) -> None:
    """Write what OPERA's members do, who put the packing in either of two places."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = np.bytes_(b"ODIM_H5/V2_2")
        file.create_group("what").attrs.update(
            {
                "object": np.bytes_(kind.encode()),
                "version": np.bytes_(b"H5rad 2.2"),
                "date": np.bytes_(f"{time:%Y%m%d}".encode()),
                "time": np.bytes_(f"{time:%H%M%S}".encode()),
                "source": np.bytes_(b"ORG:247,CTY:616"),
            }
        )
        file.create_group("where").attrs["xsize"] = stored.shape[1]
        data = file.create_dataset("dataset1/data1/data", data=stored, compression="gzip")
        data.attrs["CLASS"] = np.bytes_(b"IMAGE")
        begin = time - FIVE_MINUTES
        file.create_group("dataset1/what").attrs.update(
            {
                "product": np.bytes_(b"COMP"),
                "startdate": np.bytes_(f"{begin:%Y%m%d}".encode()),
                "starttime": np.bytes_(f"{begin:%H%M%S}".encode()),
                "enddate": np.bytes_(f"{time:%Y%m%d}".encode()),
                "endtime": np.bytes_(f"{time:%H%M%S}".encode()),
            }
        )
        where = "dataset1/data1/what" if packed.at_data else "dataset1/what"
        file.require_group(where).attrs.update(
            {
                "quantity": np.bytes_(quantity.encode()),
                "gain": packed.gain,
                "offset": packed.offset,
                "nodata": packed.nodata,
                "undetect": packed.undetect,
            }
        )


@final
class ODIMCase(FormatCase):
    """Reflectivity in bytes, in two bytes each, and in floating point."""

    reader = ODIM

    def write(self, folder: Path) -> list[Truth]:
        """Write six files."""
        truths = []
        for number, (event, packed) in enumerate(zip(EVENTS, PACKED, strict=True)):
            rate, unseen = shower(number, event.length)
            dry = rate == 0
            level = np.round(2 * 10 * np.log10(200 * np.where(dry, 1, rate) ** 1.6)) / 2
            stored = np.rint((level - packed.offset) / packed.gain * 1e6) / 1e6
            stored[dry], stored[unseen] = packed.undetect, packed.nodata
            for time, picture in zip(event.times, stored, strict=True):
                path = folder / name_of(event, time)
                write_picture(path, time, picture.astype(packed.dtype), packed)
            pixels = np.where(dry | unseen, 0, 2 * level + 64).astype(np.uint8)
            truths.append(truth(event, pixels, unseen))
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the last event."""
        lost, packing = (EVENTS[2].name,), "dataset1/what"
        data = "dataset1/data1/data"
        return {
            "polar volume": Damage(_changed("what", object=b"PVOL"), "got 'PVOL'", lost),
            "another source": Damage(_changed("what", source=b"ORG:82"), "product or size", lost),
            "no date": Damage(_changed("what", date=None), "expected a time like", lost),
            "no such time": Damage(_changed("what", time=b"256100"), "expected a time like", lost),
            "velocity": Damage(_changed(packing, quantity=b"VRADH"), "got VRADH", lost),
            "rain without end": Damage(
                _changed(packing, quantity=b"ACRR", enddate=None), "expected a time like", lost
            ),
            "liquid": Damage(
                _changed(packing, quantity=b"VIL"), "expected reflectivity as before", lost
            ),
            "no quantity": Damage(_changed(packing, quantity=None), "expected one of DBZH", lost),
            "no gain": Damage(_changed(packing, gain=None), "got no gain", lost),
            "gain in words": Damage(_changed(packing, gain=b"1"), "numeric attribute", lost),
            "negative gain": Damage(_changed(packing, gain=-1.0), "gain above 0", lost),
            "infinite gain": Damage(_changed(packing, gain=np.inf), "finite offset", lost),
            "nan offset": Damage(_changed(packing, offset=np.nan), "finite offset", lost),
            "no data": Damage(_stored(None), "no dataset", lost),
            "a cube": Damage(_stored(np.zeros((1, 24, 32))), "hold numbers", lost),
            "text": Damage(_stored(np.full((24, 32), b"x")), "hold numbers", lost),
            "huge": Damage(_declare(2**20), "at most 16384 pixels", lost),
            "no what": Damage(_without("what"), "no group 'what'", lost),
            "no data sets": Damage(_without("dataset1"), "got nothing", lost),
            "data set is no group": Damage(_without(data[:8], replaced=True), "no group", lost),
        }


def _opened(folder: Path) -> h5py.File:
    return h5py.File(folder / name_of(EVENTS[2], EVENTS[2].start), "a")


def _changed(group: str, **attributes: bytes | float | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with _opened(folder) as file:
            for key, value in attributes.items():
                del file[group].attrs[key]
                if value is not None:
                    file[group].attrs[key] = value

    return apply


def _without(key: str, replaced: bool = False) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with _opened(folder) as file:
            del file[key]
            if replaced:
                file[key] = 1

    return apply


def _stored(values: np.ndarray | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with _opened(folder) as file:
            del file["dataset1/data1/data"]
            if values is not None:
                file["dataset1/data1/data"] = values

    return apply


def _declare(side: int) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with _opened(folder) as file:
            del file["dataset1/data1/data"]
            file.create_dataset("dataset1/data1/data", (side, side), np.uint16, chunks=(64, 64))

    return apply
