"""MeteoNet: published dates without unpickling them, and rain as reflectivity."""

from __future__ import annotations

import os
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.meteonet import FIRST, write_maps
from reading import found_in, frames_at

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.radar.meteonet import MeteoNet
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError

START = datetime(2016, 8, 21, 0, 10)


def every_five_minutes(count: int, start: datetime = START) -> list[datetime]:
    return [start + timedelta(minutes=5 * step) for step in range(count)]


def found(folder: Path) -> list[View | Flaw]:
    reader = MeteoNet(Folder(folder))
    return found_in(reader)


def write_dates(path: Path, data: bytes, count: int) -> None:
    """A file whose dates are the pickle, as it is."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("data.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros((count, 4, 4), np.int16))
        with archive.open("dates.npy", "w") as file:
            header = {"descr": "|O", "fortran_order": False, "shape": (count,)}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(data)


def test_dates_are_read_as_they_were_published(tmp_path: Path) -> None:
    """The bytes with which `rainfall_NW_2016_08.3.npz` of the data samples writes its dates."""
    pickled = (
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02"
        b"C\x01bq\x03\x87q\x04Rq\x05(K\x01K\x02\x85q\x06cnumpy\ndtype\nq\x07X\x02\x00\x00\x00O8"
        b"q\x08K\x00K\x01\x87q\tRq\n(K\x03X\x01\x00\x00\x00|q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff\xff"
        b"\xffK?tq\x0cb\x89]q\r(cdatetime\ndatetime\nq\x0e"
        b"C\n\x07\xe0\x08\x15\x007\x00\x00\x00\x00q\x0f\x85q\x10Rq\x11"
        b"h\x0eC\n\x07\xe0\x08\x15\x01\x00\x00\x00\x00\x00q\x12\x85q\x13Rq\x14etq\x15b."
    )
    write_dates(tmp_path / FIRST, pickled, 2)
    (view,) = found(tmp_path)
    assert isinstance(view, View)
    assert datetime.fromtimestamp(view.recording.start, UTC) == datetime(
        2016, 8, 21, 0, 55, tzinfo=UTC
    )
    assert view.camera.fps == pytest.approx(1 / 300)


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    """Unlike by numpy, which springs the trap at the end."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    dates = np.array([*every_five_minutes(3), Trap()], object)
    write_maps(tmp_path / FIRST, np.zeros((4, 8, 8), np.int16), dates)
    with pytest.raises(InputError, match="hold 4 datetimes"):
        found(tmp_path)
    assert not (tmp_path / "sprung").exists()
    with np.load(tmp_path / FIRST, allow_pickle=True) as file:
        assert len(file["dates"]) == 4
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("unit", ["m", "s", "ns"])
def test_dates_of_numpy_are_read(tmp_path: Path, unit: str) -> None:
    dates = np.array(every_five_minutes(3), f"M8[{unit}]")
    write_maps(tmp_path / FIRST, np.zeros((3, 8, 8), np.int16), dates)
    (view,) = found(tmp_path)
    assert isinstance(view, View)
    assert view.recording.start == START.replace(tzinfo=UTC).timestamp()


def test_a_gap_ends_a_recording_and_a_lone_map_is_told(tmp_path: Path) -> None:
    kept = [0, 1, 2, 4, 6, 7]
    dates = np.array(every_five_minutes(8))[kept]
    write_maps(tmp_path / FIRST, np.zeros((6, 8, 8), np.int16), dates)
    first, lone, second = found(tmp_path)
    assert isinstance(first, View)
    assert isinstance(second, View)
    assert isinstance(lone, Flaw)
    assert (first.camera.length, second.camera.length) == (3, 2)
    assert second.recording.name == f"{FIRST}/2016-08-21T00:40:00Z"
    assert lone.recording == f"{FIRST}/2016-08-21T00:30:00Z"


@pytest.mark.parametrize(
    ("hundredths", "byte"),
    [
        (0, 0),
        (1, 67),  # 0.12 mm/h, 8.28 dBZ
        (25, 148),  # 3 mm/h, 30.64 dBZ
        (254, 207),  # 30.48 mm/h, 46.75 dBZ
        (32767, 255),
    ],
)
def test_rain_becomes_reflectivity(tmp_path: Path, hundredths: int, byte: int) -> None:
    """Marshall and Palmer, Z = 200 R^1.6, and 70 dBZ from -10 in 255 steps."""
    data = np.full((2, 8, 8), hundredths, np.int16)
    write_maps(tmp_path / FIRST, data, np.array(every_five_minutes(2)))
    (view,) = found(tmp_path)
    assert isinstance(view, View)
    frames = MeteoNet(Folder(tmp_path)).frames(*view, range(2))
    assert (frames.pixels == byte).all()
    assert frames.missing is not None
    assert not frames.missing.any()


def test_other_products_are_passed_over(tmp_path: Path) -> None:
    dates = np.array(every_five_minutes(2))
    for name in (
        FIRST,
        "reflectivity_old_NW_2016_08.3.npz",
        "rainfall_mean_quality-code_NW_2016_08.3.npz",
    ):
        write_maps(tmp_path / name, np.zeros((2, 8, 8), np.int16), dates)
    (tmp_path / FIRST).rename(tmp_path / "rainfall_SE_2017_12.2.npz")
    (view,) = found(tmp_path)
    assert isinstance(view, View)
    assert view.recording.file == "rainfall_SE_2017_12.2.npz"


def test_damage_is_told_with_its_recording_and_frames(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 99, (3, 90, 90)).astype(np.int16)
    write_maps(tmp_path / FIRST, data, np.array(every_five_minutes(3)))
    content = bytearray((tmp_path / FIRST).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / FIRST).write_bytes(content)
    (view,) = found(tmp_path)
    assert isinstance(view, View)
    with pytest.raises(InputError, match=f"^{view.recording.name}: frames 1 to 2: data: damaged"):
        frames_at(MeteoNet(Folder(tmp_path)), view, range(1, 3))
