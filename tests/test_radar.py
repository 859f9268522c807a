"""Events, rain, and the radar formats on real composites."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from formats import knmi, odim
from formats.fmi import write_picture
from formats.odim import Packed
from formats.radar import FIVE_MINUTES
from PIL import Image
from reading import found_in, frames_at

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.events import events, interval, iso, parsed, season, time_in
from worldmodel.data.formats.radar.fmi import FMI
from worldmodel.data.formats.radar.knmi import KNMI
from worldmodel.data.formats.radar.odim import ODIM
from worldmodel.data.formats.radar.radar_files import RadarFiles
from worldmodel.data.formats.radar.rain import (
    LIQUID,
    REFLECTIVITY,
    Scale,
    rain_pixels,
    reflectivity,
)
from worldmodel.data.reader import Quantity
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError

NOON = datetime(2016, 7, 1, 12, 0, tzinfo=UTC)


def found(reader: RadarFiles) -> list[View | Flaw]:
    return found_in(reader)


def views(reader: RadarFiles) -> list[View]:
    return [finding for finding in found(reader) if isinstance(finding, View)]


def flaws(reader: RadarFiles) -> list[Flaw]:
    return [finding for finding in found(reader) if isinstance(finding, Flaw)]


def linked(source: Path, target: Path) -> list[Path]:
    """The same files in another folder, in order."""
    for path in sorted(source.iterdir()):
        (target / path.name).symlink_to(path)
    return sorted(target.iterdir())


# Events ---------------------------------------------------------------------------------------


def test_events_end_at_gaps() -> None:
    assert events([0, 300, 600, 1500, 1800, 5000]) == [range(3), range(3, 5), range(5, 6)]
    assert events([0, 300, 740, 1040]) == [range(4)], "less than 1.5 intervals"
    assert events([0, 300, 760, 1060]) == [range(2), range(2, 4)], "more than 1.5 intervals"
    assert events([0, 300, 600, 700]) == [range(3), range(3, 4)], "less than half an interval"
    assert events([]) == []
    assert events([7.0]) == [range(1)]


def test_the_interval_is_the_most_common_difference() -> None:
    assert interval([0, 600, 900, 1200]) == 300
    assert interval([0, 300, 900]) == 300, "the smaller of two"
    assert interval([5]) == 0


@pytest.mark.parametrize(
    ("times", "reason"),
    [([0, 5, 5], "come twice"), ([0, 5, 4], "rising"), ([0, np.nan], "finite"), ([np.inf], "fin")],
)
def test_times_that_do_not_rise_are_refused(times: list[float], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        events(times)


def test_seasons() -> None:
    months = [season(datetime(2016, month, 28, tzinfo=UTC).timestamp()) for month in range(1, 13)]
    expected = ["winter"] * 2 + ["spring"] * 3 + ["summer"] * 3 + ["autumn"] * 3 + ["winter"]
    assert months == expected


def test_times_in_names() -> None:
    expected = datetime(2016, 9, 28, 14, 45, tzinfo=UTC).timestamp()
    assert time_in("2015/201609281445_fmi.radar.pgm.gz") == expected
    assert time_in("RAD160928144500.png", "%y%m%d%H%M%S") == expected
    assert time_in("radar_2016-09-28_1445.nc", "%Y-%m-%d_%H%M") == expected
    assert time_in("999999999999_201609281445.h5") == expected, "the first that is a time"
    assert iso(expected) == "2016-09-28T14:45:00Z"
    for name in ("20160928144500.h5", "201613281445.h5", "201609281445/composite.h5"):
        with pytest.raises(InputError, match="a time like 201609281445"):
            time_in(name)
    with pytest.raises(InputError, match="got 'NA'"):
        parsed("NA", "%Y%m%d")


# Rain -----------------------------------------------------------------------------------------


def values(scale: Scale, pixels: np.ndarray) -> np.ndarray:
    """What bytes stand for."""
    return scale.offset + scale.gain * pixels.astype(np.float64)


def rain(reflectivity: np.ndarray) -> np.ndarray:
    """dBZ as mm/h by Z = 200 R^1.6, solved for R."""
    return (10 ** (reflectivity / 10) / 200) ** (1 / 1.6)


def test_marshall_and_palmer() -> None:
    """Published pairs of the relation, such as 1 mm/h at 23 dBZ."""
    rates = np.array([0.1, 1.0, 10.0, 100.0])
    np.testing.assert_allclose(reflectivity(rates), [7.01, 23.01, 39.01, 55.01], atol=0.005)
    np.testing.assert_allclose(rain(reflectivity(rates)), rates)
    assert reflectivity(np.zeros(1)) == -np.inf


def test_bytes_of_rain() -> None:
    assert rain_pixels(np.array([0.0, 1e-9, 1.0, 1e9])).tolist() == [0, 0, 120, 255]
    assert values(REFLECTIVITY, np.array([0, 255], np.uint8)).tolist() == [-10, 60]


# Finland --------------------------------------------------------------------------------------


@pytest.fixture
def finland(data: Path) -> Path:
    return data / "radar_fmi"


def test_a_real_event_over_finland(finland: Path) -> None:
    (view,) = found(FMI(Folder(finland)))
    assert isinstance(view, View)
    assert view.recording.name == "2016-09-28T14:45:00Z"
    assert (view.camera.length, view.camera.height, view.camera.width, view.camera.channels) == (
        40,
        1226,
        760,
        1,
    )
    assert (view.recording.domain, view.camera.fps * 300) == ("autumn", 1.0)
    assert view.recording.start == datetime(2016, 9, 28, 14, 45, tzinfo=UTC).timestamp()


def test_real_bytes_over_finland_are_kept(finland: Path) -> None:
    """Against Pillow, and the numbers that the tests of pysteps expect of this file at 16:00."""
    reader = FMI(Folder(finland))
    (view,) = views(reader)
    frames = reader.frames(*view, range(15, 16))
    assert frames.missing is not None
    assert "201609281600" in view.camera.place["files"][15]
    path = finland / view.camera.place["files"][15]
    with Image.open(io.BytesIO(gzip.decompress(path.read_bytes()))) as image:
        stored = np.asarray(image)
    np.testing.assert_array_equal(frames.missing[0], stored == 255)
    np.testing.assert_array_equal(frames.pixels[0, ..., 0], np.where(stored == 255, 0, stored))
    found = np.unique(values(reader.scale, frames.pixels[~frames.missing]))
    assert found[:2].tolist() == [-32.0, -31.5]
    wet = (frames.pixels[..., 0] > 0)[~frames.missing].mean()
    assert 0.2 < wet < 0.5


def test_a_missing_and_a_damaged_file_split_a_real_event(finland: Path, tmp_path: Path) -> None:
    files = linked(finland, tmp_path)
    files[10].unlink()
    files[20].unlink()
    files[20].write_bytes(files[21].read_bytes()[:20_000])
    reader = FMI(Folder(tmp_path))
    assert [(view.recording.name, view.camera.length) for view in views(reader)] == [
        ("2016-09-28T14:45:00Z", 10),
        ("2016-09-28T15:40:00Z", 9),
        ("2016-09-28T16:30:00Z", 19),
    ]
    assert [flaw.file for flaw in flaws(reader)] == [files[20].name]


def test_only_the_wanted_files_are_read(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 200, (6, 8, 9), np.uint8)
    paths = [tmp_path / f"{step}.pgm" for step in range(6)]
    for step, path in enumerate(paths):
        write_picture(path, NOON + step * FIVE_MINUTES, pictures[step])
    reader = FMI(Folder(tmp_path))
    (view,) = views(reader)
    for step in (0, 1, 4, 5):
        paths[step].unlink()
    read = reader.frames(*view, range(2, 4))
    np.testing.assert_array_equal(read.pixels[..., 0], pictures[2:4])
    with pytest.raises(InputError, match=r"4\.pgm: 2016-07-01T12:00:00Z: frame 4: cannot be read"):
        frames_at(reader, view, range(3, 5))


def test_a_copy_of_a_file_is_refused_alone(tmp_path: Path) -> None:
    picture = np.zeros((8, 9), np.uint8)
    for step in range(3):
        write_picture(tmp_path / f"{step}.pgm", NOON + step * FIVE_MINUTES, picture)
    write_picture(tmp_path / "1 (copy).pgm", NOON + FIVE_MINUTES, picture)
    reader = FMI(Folder(tmp_path))
    (flaw,), (view,) = flaws(reader), views(reader)
    assert "same time" in flaw.reason
    assert view.camera.length == 3


def test_a_lonely_picture_is_told(tmp_path: Path) -> None:
    for minutes in (0, 1, 2, 9):
        write_picture(
            tmp_path / f"{minutes}.pgm", NOON + minutes * FIVE_MINUTES, np.zeros((8, 9), np.uint8)
        )
    (flaw,) = flaws(FMI(Folder(tmp_path)))
    assert (flaw.file, flaw.reason) == (
        "9.pgm",
        "no picture one interval before it or after it",
    )


# The Netherlands ------------------------------------------------------------------------------


@pytest.fixture
def netherlands(data: Path) -> Path:
    return data / "radar_knmi"


def test_a_real_event_over_the_netherlands(netherlands: Path) -> None:
    (view,) = found(KNMI(Folder(netherlands)))
    assert isinstance(view, View)
    assert view.recording.name == "2010-08-26T00:00:00Z", (
        "the end of the first amount, as in its name"
    )
    assert (view.camera.length, view.camera.height, view.camera.width, view.camera.channels) == (
        92,
        765,
        700,
        1,
    )
    assert (view.recording.domain, view.camera.fps * 300) == ("summer", 1.0)


def test_real_rain_over_the_netherlands(netherlands: Path) -> None:
    """Against the amounts as pysteps reads them: hundredths of a millimetre in five minutes."""
    reader = KNMI(Folder(netherlands))
    (view,) = views(reader)
    frames = reader.frames(*view, range(60, 64))
    assert frames.missing is not None
    assert reader.scale is REFLECTIVITY
    for step, pixels, missing in zip(range(60, 64), frames.pixels, frames.missing, strict=True):
        with h5py.File(netherlands / view.camera.place["files"][step]) as file:
            stored = np.asarray(file["image1/image_data"])
        np.testing.assert_array_equal(missing, stored == 65535)
        rate = np.where(missing, 0, stored) / 100 * 12
        read = rain(values(REFLECTIVITY, pixels[..., 0]))
        wet = (rate > 0.01) & (rate < 200)
        assert wet.sum() > 1000
        np.testing.assert_allclose(read[wet], rate[wet], rtol=0.021)
        assert not pixels[..., 0][rate == 0].any()


def test_dutch_reflectivity_keeps_its_bytes(tmp_path: Path) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for step in range(3):
        time = NOON + step * FIVE_MINUTES
        knmi.write_picture(
            tmp_path / f"{step}.h5",
            time,
            stored,
            formula="GEO=0.500000*PV+-32.000000",
            missing=255,
            outside=254,
            image_geo_parameter=np.bytes_(b"REFLECTIVITY_[DBZ]"),
        )
    reader = KNMI(Folder(tmp_path))
    (view,) = views(reader)
    frames = reader.frames(*view, range(3))
    assert reader.scale == Scale(Quantity("reflectivity", "dBZ"), 0.5, -32.0)
    np.testing.assert_array_equal(frames.pixels[0, ..., 0].ravel()[:254], np.arange(254))
    assert frames.missing is not None
    assert frames.missing[0].ravel().nonzero()[0].tolist() == [254, 255]
    assert not frames.pixels[frames.missing].any()


def test_the_hours_of_an_amount_are_read(tmp_path: Path) -> None:
    """Four millimetres in five minutes are 48 mm/h."""
    for step in range(2):
        knmi.write_picture(
            tmp_path / f"{step}.h5", NOON + step * FIVE_MINUTES, np.full((4, 4), 400, np.uint16)
        )
    reader = KNMI(Folder(tmp_path))
    (view,) = views(reader)
    rates = rain(values(REFLECTIVITY, reader.frames(*view, range(2)).pixels))
    np.testing.assert_allclose(rates, 48, rtol=0.021)


# OPERA ----------------------------------------------------------------------------------------


def composites(folder: Path, stored: np.ndarray, packed: Packed, quantity: str) -> ODIM:
    for step in range(2):
        path, time = folder / f"{step}.h5", NOON + step * FIVE_MINUTES
        odim.write_picture(path, time, stored, packed, quantity)
    return ODIM(Folder(folder))


def read(reader: ODIM) -> np.ndarray:
    (view,) = views(reader)
    return values(reader.scale, reader.frames(*view, range(1)).pixels)[0, ..., 0]


@pytest.mark.parametrize(("quantity", "stored", "rate"), [("RATE", 2.5, 2.5), ("ACRR", 2.5, 30.0)])
def test_rain_becomes_reflectivity(
    quantity: str, stored: float, rate: float, tmp_path: Path
) -> None:
    packed = Packed(np.float32, 1.0, 0.0, -1.0, 0.0, at_data=True)
    picture = np.array([[stored, 0.0], [-1.0, np.nan]], np.float32)
    reader = composites(tmp_path, picture, packed, quantity)
    np.testing.assert_allclose(rain(read(reader))[0, 0], rate, rtol=0.021)
    assert reader.scale is REFLECTIVITY
    frames = reader.frames(*views(reader)[0], range(2))
    assert frames.missing is not None
    assert frames.missing[0].tolist() == [[False, False], [True, True]]
    assert frames.pixels[0].ravel()[1:].tolist() == [0, 0, 0]


def test_bytes_of_reflectivity_are_kept_whatever_their_gain(tmp_path: Path) -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    packed = Packed(np.uint8, 0.4, -30.0, 255, 100, at_data=False)
    reader = composites(tmp_path, picture, packed, "TH")
    values = read(reader).ravel()
    expected = -30 + 0.4 * np.arange(256)
    expected[100] = expected[255] = -30.0
    np.testing.assert_allclose(values, expected)


def test_the_packing_of_the_data_goes_before_that_of_the_data_set(tmp_path: Path) -> None:
    picture = np.full((4, 4), 90, np.uint8)
    packed = Packed(np.uint8, 0.4, -30.0, 255, 0, at_data=True)
    composites(tmp_path, picture, packed, "DBZH")
    for step in range(2):
        with h5py.File(tmp_path / f"{step}.h5", "a") as file:
            file["dataset1/what"].attrs.update({"gain": 1.0, "quantity": np.bytes_(b"RATE")})
    assert (read(ODIM(Folder(tmp_path))) == -30 + 0.4 * 90).all()


def test_liquid_has_a_scale_of_its_own(tmp_path: Path) -> None:
    packed = Packed(np.uint16, 0.01, 0.0, 65535, 0, at_data=True)
    picture = np.array([[0, 1000], [8000, 65535]], np.uint16)
    reader = composites(tmp_path, picture, packed, "VIL")
    assert reader.scale is LIQUID
    np.testing.assert_allclose(read(reader), [[0, 10], [80, 0]], atol=0.16)


def test_the_first_known_quantity_is_read(tmp_path: Path) -> None:
    packed = Packed(np.uint8, 0.5, -32.0, 255, 0, at_data=True)
    picture = np.full((4, 4), 90, np.uint8)
    reader = composites(tmp_path, picture, packed, "QIND")
    for step in range(2):
        with h5py.File(tmp_path / f"{step}.h5", "a") as file:
            file.copy("dataset1", "dataset10")
            file.copy("dataset1", "dataset2")
            file["dataset10/data1/what"].attrs["quantity"] = np.bytes_(b"RATE")
            file["dataset2/data1/what"].attrs["quantity"] = "DBZH"
            data = file["dataset2/data1/data"]
            assert isinstance(data, h5py.Dataset)
            data[:] = 100
    reader = ODIM(Folder(tmp_path))
    assert (read(reader) == -32 + 0.5 * 100).all()


def test_polar_volumes_are_named_as_such(tmp_path: Path) -> None:
    packed = Packed(np.uint8, 0.5, -32.0, 255, 0, at_data=True)
    odim.write_picture(tmp_path / "a.h5", NOON, np.zeros((360, 10), np.uint8), packed, kind="PVOL")
    assert ODIM.recognises(Folder(tmp_path))
    (flaw,) = flaws(ODIM(Folder(tmp_path)))
    assert flaw.reason == "expected an object COMP or IMAGE, got 'PVOL'"


def test_radar_formats_know_each_other_apart(finland: Path, netherlands: Path) -> None:
    kinds = (FMI, KNMI, ODIM)
    assert [kind.recognises(Folder(finland)) for kind in kinds] == [True, False, False]
    assert [kind.recognises(Folder(netherlands)) for kind in kinds] == [False, True, False]
    for kind, folder in ((KNMI, finland), (ODIM, finland), (FMI, netherlands)):
        with pytest.raises(InputError, match="expected"):
            kind(Folder(folder)).units()


def test_nothing_is_decoded_of_what_is_only_declared(tmp_path: Path) -> None:
    """Two files that declare half a gigabyte each and store nothing."""
    for step in range(2):
        path = tmp_path / f"{step}.h5"
        knmi.write_picture(path, NOON + step * FIVE_MINUTES, np.zeros((4, 4), np.uint16))
        with h5py.File(path, "a") as file:
            del file["image1/image_data"]
            file.create_dataset("image1/image_data", (2**14, 2**14), np.uint16, chunks=(64, 64))
    reader = KNMI(Folder(tmp_path))
    (view,) = views(reader)
    with pytest.raises(InputError, match="declares 536870912 bytes"):
        frames_at(reader, view, range(1))
