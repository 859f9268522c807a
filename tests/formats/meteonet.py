"""MeteoNet data sets for the contract."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, final

import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square
from worldmodel.data.formats.radar.meteonet import MeteoNet
from worldmodel.data.recording import no_signals

FILES = {
    "rainfall_NW_2016_08.3.npz": ((datetime(2016, 8, 21, 0, 55), 4), (datetime(2016, 8, 30), 6)),
    "rainfall_SE_2018_01.1.npz": ((datetime(2018, 1, 1), 5),),
}
FIRST, LAST = FILES


def write_maps(path: Path, data: np.ndarray, dates: Any, missed: Sequence[datetime] = ()) -> None:
    """Write a file as it was published: deflated, and datetimes pickled by protocol 3."""
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {"data": data, "dates": dates, "miss_dates": np.array(missed, object)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in members.items():
            if array is not None:
                with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                    write_npy(file, np.asarray(array))


def write_npy(file: IO[bytes], array: np.ndarray) -> None:
    """Write an array, one of objects as old versions of numpy do."""
    if array.dtype != object:
        np.lib.format.write_array(file, array)
        return
    header = {"descr": "|O", "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.write(pickle.dumps(array, protocol=3, fix_imports=True))


def bytes_of(hundredths: np.ndarray) -> np.ndarray:
    """What rain of 5 minutes, in 0.01 mm and above 0, becomes: 255 (dBZ + 10) / 70."""
    reflectivity = 10 * np.log10(200 * (hundredths / 100 * 12) ** 1.6)
    return np.rint(255 * (reflectivity + 10) / 70).clip(0, 255).astype(np.uint8)


@final
class MeteoNetCase(FormatCase):
    """A file with a gap and another one; a corner was not measured."""

    reader = MeteoNet

    def write(self, folder: Path) -> list[Truth]:
        """Write the files."""
        truths = []
        for file, stretches in FILES.items():
            data, dates = [], []
            for start, length in stretches:
                rain = moving_square(len(truths), length)[..., 1].astype(np.int16)
                missing = np.zeros(rain.shape, bool)
                missing[:, :3, :4] = True
                data.append(np.where(missing, -1, rain))
                pixels = np.where(missing, 0, bytes_of(rain))[..., None]
                dates += [start + timedelta(minutes=5 * step) for step in range(length)]
                name = f"{file}/{start:%Y-%m-%dT%H:%M:%SZ}"
                truths.append(Truth(name, "", pixels, *no_signals(length), missing))
            write_maps(folder / file, np.concatenate(data), np.array(dates))
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second file."""
        lost = (f"{LAST}/2018-01-01T00:00:00Z",)
        return {
            "no data": Damage(_changed(data=lambda data: None), "no array 'data'", lost),
            "no dates": Damage(_changed(dates=lambda dates: None), "no array 'dates'", lost),
            "too few dates": Damage(_changed(dates=lambda d: d[:-1]), "one date per map", lost),
            "falling dates": Damage(_changed(dates=lambda d: d[::-1]), "rising order", lost),
            "a date that comes twice": Damage(
                _changed(dates=lambda d: d[[0, 1, 1, 2, 3]].astype("M8[s]")),
                "twice",
                lost,
            ),
            "dates of text": Damage(_changed(dates=lambda d: d.astype(str)), "datetimes", lost),
            "dates of other objects": Damage(
                _changed(dates=lambda d: np.array([None] * 5)), "hold 5 datetimes", lost
            ),
            "dates that are no times": Damage(
                _changed(dates=lambda d: np.full(5, np.datetime64("NaT", "s"))), "datetimes", lost
            ),
            "dates far away": Damage(
                _changed(dates=lambda d: np.full(5, 2**61).astype("M8[Y]")), "datetimes", lost
            ),
            "floating point": Damage(
                _changed(data=lambda data: data.astype(np.float32)), "int16", lost
            ),
            "one map": Damage(
                _changed(data=lambda data: data[:1], dates=lambda d: d[:1]), "one interval", lost
            ),
            "no map": Damage(_changed(data=lambda data: data[:0]), "one date per map", lost),
            "huge": Damage(_declare_a_terabyte, "fills", lost),
            "not compressed by deflate": Damage(_compress_otherwise, "stored or deflated", lost),
        }


def _changed(**changes: Callable[[np.ndarray], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with np.load(folder / LAST, allow_pickle=True) as file:
            arrays = {key: file[key] for key in ("data", "dates")}
        write_maps(
            folder / LAST,
            *(changes.get(key, np.asarray)(array) for key, array in arrays.items()),
        )

    return apply


def _declare_a_terabyte(folder: Path) -> None:
    with np.load(folder / LAST, allow_pickle=True) as file:
        dates = file["dates"]
    with zipfile.ZipFile(folder / LAST, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("data.npy", "w") as file:
            header = {"descr": "<i2", "fortran_order": False, "shape": (5, 2**18, 2**19)}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(bytes(1000))
        with archive.open("dates.npy", "w") as file:
            write_npy(file, dates)


def _compress_otherwise(folder: Path) -> None:
    with zipfile.ZipFile(folder / LAST) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(folder / LAST, "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
