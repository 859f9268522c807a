"""SEVIR: the publishers' parts and catalogue."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from formats.sevir import EVENTS, NEW, OLD, SEVIRCase, row, write_catalogue, write_events
from reading import found_in, frames_at

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.radar.sevir import SEVIR
from worldmodel.data.recording import Flaw, Recording, View
from worldmodel.errors import InputError


def found(folder: Path) -> tuple[dict[str, View], list[Flaw]]:
    """Views by id of the event, and flaws."""
    reader = SEVIR(Folder(folder))
    findings = found_in(reader)
    views = {f.recording.name.rpartition("/")[2]: f for f in findings if isinstance(f, View)}
    return views, [f for f in findings if isinstance(f, Flaw)]


def one_event(folder: Path, time: str, length: int = 3, **entry: object) -> View:
    """The view of a single event, which the catalogue lists like that."""
    write_events(folder / NEW, ["S1"], np.ones((1, 8, 8, length), np.uint8))
    write_catalogue(folder / "CATALOG.csv", [row(NEW, 0, "S1", time) | entry])
    return found(folder)[0]["S1"]


@pytest.mark.parametrize(
    ("time", "part"),
    [
        ("2017-06-13 00:00:00", "train"),
        ("2019-01-01 00:00:00", "train"),
        ("2019-01-01 00:05:00", "validation"),
        ("2019-06-01 00:00:00", "validation"),
        ("2019-06-01 00:05:00", "test"),
    ],
)
def test_parts_go_by_date(tmp_path: Path, time: str, part: str) -> None:
    assert one_event(tmp_path, time).recording.part == part


def test_an_event_starts_at_its_first_offset(tmp_path: Path) -> None:
    view = one_event(tmp_path, "2019-09-17 19:54:00", minute_offsets="-119:-114:-109")
    assert datetime.fromtimestamp(view.recording.start, UTC) == datetime(
        2019, 9, 17, 17, 55, tzinfo=UTC
    )
    unsaid = one_event(tmp_path, "2019-09-17 19:54:00", minute_offsets="")
    assert datetime.fromtimestamp(unsaid.recording.start, UTC) == datetime(
        2019, 9, 17, 17, 54, tzinfo=UTC
    )


@pytest.mark.parametrize(("length", "minutes"), [(49, 5), (25, 10)])
def test_an_event_lasts_four_hours(tmp_path: Path, length: int, minutes: int) -> None:
    assert one_event(tmp_path, "2018-01-01", length).camera.fps == pytest.approx(1 / (60 * minutes))


def test_kinds_of_event_are_domains(tmp_path: Path) -> None:
    SEVIRCase().write(tmp_path)
    domains = {event: view.recording.domain for event, view in found(tmp_path)[0].items()}
    assert domains["S858968"] == "Thunderstorm Wind"
    assert domains["R18032123577290"] == "random"


def test_events_are_read_without_a_catalogue(tmp_path: Path) -> None:
    SEVIRCase().write(tmp_path)
    (tmp_path / "CATALOG.csv").unlink()
    views, flaws = found(tmp_path)
    assert list(views) == [event for events in EVENTS.values() for event, _ in events]
    assert flaws == []
    assert [view.recording.domain for view in views.values()] == [
        "random",
        "random",
        "storm",
        "storm",
    ]
    assert all(
        math.isnan(view.recording.start) and view.recording.part == "" for view in views.values()
    )


def test_a_damaged_catalogue_is_told_once(tmp_path: Path) -> None:
    SEVIRCase().write(tmp_path)
    (tmp_path / "CATALOG.csv").write_text("id,file_name\n")
    reader = SEVIR(Folder(tmp_path))
    catalogue, *files = reader.units()
    with pytest.raises(InputError, match=r"no columns.*event_type.*time_utc"):
        list(reader.scan(catalogue))
    assert all(isinstance(f, Recording) for unit in files for f in reader.scan(unit))


def test_files_that_were_not_fetched_are_told(tmp_path: Path) -> None:
    SEVIRCase().write(tmp_path)
    (tmp_path / OLD).unlink()
    views, flaws = found(tmp_path)
    assert list(views) == [event for event, _ in EVENTS[NEW]]
    assert [str(flaw) for flaw in flaws] == [
        f"{Path(OLD).name}: is in the catalogue, but not in the folder"
    ]


def test_the_catalogue_is_found_above_and_its_folders_do_not_count(tmp_path: Path) -> None:
    SEVIRCase().write(tmp_path)
    (tmp_path / NEW).rename(tmp_path / Path(NEW).name)
    assert found(tmp_path)[0]["S858968"].recording.part == "test"


def test_damage_to_an_event_leaves_the_next_one(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, 24, 24, 9), np.uint8)
    write_events(tmp_path / NEW, ["S1", "S2"], noise)
    data = bytearray((tmp_path / NEW).read_bytes())
    data[-3000:-2000] = bytes(1000)
    (tmp_path / NEW).write_bytes(data)
    views, _ = found(tmp_path)
    reader = SEVIR(Folder(tmp_path))
    pixels = reader.frames(*views["S1"], range(2, 5)).pixels[..., 0]
    np.testing.assert_array_equal(pixels, noise[0, :, :, 2:5].transpose(2, 0, 1))
    with pytest.raises(InputError, match=f"^{NEW}/S2: frames 0 to 1: "):
        frames_at(reader, views["S2"], range(2))
