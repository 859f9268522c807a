"""HKO-7: the published days and masks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from formats.hko7 import HKO7Case, mask_path, picture_path, write_scan
from reading import found_in

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.radar.hko7 import HKO7, VALIDATION_DAYS
from worldmodel.data.recording import Flaw, View


def found(folder: Path) -> list[View | Flaw]:
    reader = HKO7(Folder(folder))
    return found_in(reader)


def write_day(folder: Path, start: datetime, steps: tuple[int, ...] = (0, 1)) -> None:
    """Pictures without masks, at multiples of six minutes."""
    for step in steps:
        pixels = np.full((8, 8, 1), step, np.uint8)
        write_scan(folder, start + timedelta(minutes=6 * step), pixels, None)


def view_of(folder: Path, day: str) -> View:
    write_day(folder, datetime.fromisoformat(f"{day}T12:00:00+00:00"))
    (view,) = found(folder)
    assert isinstance(view, View)
    return view


@pytest.mark.parametrize(
    ("day", "part"),
    [
        ("2009-02-15", "train"),
        ("2009-03-01", "validation"),
        ("2014-11-29", "validation"),
        ("2014-12-31", "train"),
        ("2015-01-07", "test"),
    ],
)
def test_parts_are_the_published_days(tmp_path: Path, day: str, part: str) -> None:
    assert view_of(tmp_path, day).recording.part == part


def test_fifty_days_validate() -> None:
    assert len(VALIDATION_DAYS) == 50
    assert all("090000" < day < "150000" for day in VALIDATION_DAYS)


@pytest.mark.parametrize(("day", "season"), [("2009-07-01", "summer"), ("2009-12-01", "winter")])
def test_seasons_are_domains(tmp_path: Path, day: str, season: str) -> None:
    assert view_of(tmp_path, day).recording.domain == season


def test_names_of_files_are_the_published_ones() -> None:
    """`convert_datetime_to_filepath` of the authors' code, for the same time."""
    time = datetime(2011, 7, 9, 3, 6, tzinfo=UTC)
    assert picture_path(time).endswith("2011/07/09/RAD110709030600.png")
    assert mask_path(time).endswith("2011/07/09/RAD110709030600.mask")


def test_a_view_says_when_and_how_often(tmp_path: Path) -> None:
    view = view_of(tmp_path, "2009-02-15")
    assert datetime.fromtimestamp(view.recording.start, UTC) == datetime(
        2009, 2, 15, 12, tzinfo=UTC
    )
    assert view.camera.fps == pytest.approx(1 / 360)


def test_nothing_is_missing_without_masks(tmp_path: Path) -> None:
    view = view_of(tmp_path, "2009-02-15")
    frames = HKO7(Folder(tmp_path)).frames(*view, range(2))
    assert frames.missing is None
    assert frames.pixels[:, 0, 0, 0].tolist() == [0, 1]


def test_a_mask_leaves_out_where_it_is_false(tmp_path: Path) -> None:
    counts = np.arange(64).reshape(8, 8) % 3 > 0
    start = datetime(2009, 2, 15, tzinfo=UTC)
    for step in range(2):
        pixels = np.full((8, 8, 1), 200, np.uint8)
        write_scan(tmp_path, start + timedelta(minutes=6 * step), pixels, counts)
    (view,) = found(tmp_path)
    assert isinstance(view, View)
    frames = HKO7(Folder(tmp_path)).frames(*view, range(1, 2))
    np.testing.assert_array_equal(frames.missing, ~counts[None])
    np.testing.assert_array_equal(frames.pixels[0, ..., 0], 200 * counts)


def test_a_gap_ends_a_recording_and_a_lone_picture_is_told(tmp_path: Path) -> None:
    write_day(tmp_path, datetime(2009, 2, 15, tzinfo=UTC), (0, 1, 2, 5, 6, 9))
    views = [finding for finding in found(tmp_path) if isinstance(finding, View)]
    flaws = [finding for finding in found(tmp_path) if isinstance(finding, Flaw)]
    assert [(view.recording.name[11:16], view.camera.length) for view in views] == [
        ("00:00", 3),
        ("00:30", 2),
    ]
    assert [flaw.file for flaw in flaws] == ["radarPNG/2009/02/15/RAD090215005400.png"]


def test_a_day_ends_a_recording(tmp_path: Path) -> None:
    write_day(tmp_path, datetime(2009, 2, 15, 23, 48, tzinfo=UTC), (0, 1, 2, 3))
    names = [finding.recording.name for finding in found(tmp_path) if isinstance(finding, View)]
    assert names == ["2009-02-15T23:48:00Z", "2009-02-16T00:00:00Z"]


def test_days_of_masks_alone_are_passed_over(tmp_path: Path) -> None:
    truths = HKO7Case().write(tmp_path)
    for path in tmp_path.glob("radarPNG/2015/*/*/*"):
        path.unlink()
    names = [finding.recording.name for finding in found(tmp_path) if isinstance(finding, View)]
    assert names == [truth.name for truth in truths[:2]]
