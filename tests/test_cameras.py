"""Which cameras are meant by numbers and names, and what a damaged one costs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from formats.robonet import RoboNetCase

from worldmodel.data.opening import look_through, open_source
from worldmodel.data.source import Source, recordings_of
from worldmodel.errors import InputError


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Three recordings of two cameras, of which the second lacks its first camera."""
    RoboNetCase().write(tmp_path)
    RoboNetCase().damages()["huge video"].apply(tmp_path)
    return tmp_path


def seen(source: Source) -> list[tuple[str, str]]:
    return [(recording.name, camera.name) for recording, camera in source.views]


def test_a_number_never_means_another_camera_than_in_other_recordings(damaged: Path) -> None:
    assert seen(open_source([str(damaged)], camera=0)) == [("0.hdf5", "cam0"), ("2.hdf5", "cam0")]
    assert seen(open_source([str(damaged)], camera=1)) == [
        (f"{number}.hdf5", "cam1") for number in range(3)
    ]


def test_nor_does_it_where_no_recording_has_that_camera(damaged: Path) -> None:
    with pytest.raises(InputError, match=r"cam0: .*declares"):
        open_source([str(damaged / "1.hdf5")], camera=0)
    assert seen(open_source([str(damaged / "1.hdf5")], camera=1)) == [("1.hdf5", "cam1")]


def test_a_damaged_camera_is_told_once(damaged: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        source = open_source([str(damaged)], camera=["cam1", "cam0"])
    assert caplog.text.count("1.hdf5: cam0: ") == 1
    assert seen(source)[1:4] == [("0.hdf5", "cam0"), ("1.hdf5", "cam1"), ("2.hdf5", "cam1")]


def test_a_camera_that_was_never_there_is_told_with_those_that_are(damaged: Path) -> None:
    flaws = look_through(str(damaged), camera=[1, "wrist"]).flaws
    assert [str(flaw) for flaw in flaws if "wrist" in flaw.reason] == [
        f"{number}.hdf5: no camera wrist among its {there}"
        for number, there in enumerate(("2: cam0, cam1", "1: cam1", "2: cam0, cam1"))
    ]


def test_views_of_a_recording_are_neighbours(damaged: Path) -> None:
    source = open_source([str(damaged)], camera="all")
    places = {recording.name: list(indices) for recording, indices in recordings_of(source)}
    assert places == {"0.hdf5": [0, 1], "1.hdf5": [2], "2.hdf5": [3, 4]}
