"""CIKM AnalytiCup 2017: order of the numbers, parts, lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.cikm2017 import SIDE, TIMES, sample_line
from reading import found_in

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.radar.cikm2017 import CAMERAS, CIKM2017
from worldmodel.data.recording import Flaw, View

SHAPE = TIMES, len(CAMERAS), SIDE, SIDE
NUMBERS = np.zeros(SHAPE, int)
NUMBERS[:] = 10 * np.arange(TIMES)[:, None, None, None] + np.arange(4)[:, None, None]
NUMBERS[..., 50, 7] = -1
LINE = sample_line("train_1", NUMBERS)


def found(folder: Path) -> list[View | Flaw]:
    reader = CIKM2017(Folder(folder))
    return found_in(reader)


def views(folder: Path) -> list[View]:
    return [finding for finding in found(folder) if isinstance(finding, View)]


def test_numbers_go_by_time_then_height_then_row(tmp_path: Path) -> None:
    """`reshape(15, 4, 101, 101)`, as all entries to the competition do."""
    (tmp_path / "train.txt").write_bytes(LINE)
    for level, view in enumerate(views(tmp_path)):
        frames = CIKM2017(Folder(tmp_path)).frames(*view, range(3, 6))
        assert view.camera.name == CAMERAS[level]
        assert frames.pixels[:, 0, 0, 0].tolist() == [30 + level, 40 + level, 50 + level]
        assert frames.missing is not None
        assert np.argwhere(frames.missing[0]).tolist() == [[50, 7]]
        assert not frames.pixels[frames.missing].any()


def test_a_sample_is_six_minutes_a_frame_at_four_heights(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(LINE)
    cameras = [view.camera.name for view in views(tmp_path)]
    assert cameras == ["height_0.5km", "height_1.5km", "height_2.5km", "height_3.5km"]
    assert {
        (view.recording.name, view.camera.length, view.camera.fps) for view in views(tmp_path)
    } == {("train.txt/train_1", 15, 1 / 360)}


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("train.txt", "train"),
        ("data_sample.txt", "train"),
        ("CIKM2017_testA/testA.txt", "test"),
        ("testB.txt", "test"),
    ],
)
def test_parts_go_by_file(tmp_path: Path, file: str, part: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(LINE)
    assert {view.recording.part for view in views(tmp_path)} == {part}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b" \n\n\n"])
def test_lines_may_end_in_any_way(tmp_path: Path, end: bytes) -> None:
    line = LINE.rstrip()
    (tmp_path / "train.txt").write_bytes(
        line + b"\r\n\n" + line.replace(b"train_1", b"train_2") + end
    )
    assert [view.recording.name for view in views(tmp_path)[::4]] == [
        "train.txt/train_1",
        "train.txt/train_2",
    ]
    last = CIKM2017(Folder(tmp_path)).frames(*views(tmp_path)[-1], range(14, 15))
    assert last.pixels[0, -1, -1, 0] == 143


def test_a_test_may_keep_its_rainfall_to_itself(tmp_path: Path) -> None:
    (tmp_path / "testB.txt").write_bytes(LINE.replace(b",12.7,", b",,"))
    assert len(views(tmp_path)) == 4


def test_flaws_are_told_by_id_or_by_line(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"hello\n" + LINE + b"train_9,1.0,1 2 3\n")
    flaws = [finding for finding in found(tmp_path) if isinstance(finding, Flaw)]
    assert [(flaw.recording, flaw.reason) for flaw in flaws] == [
        (
            "train.txt/line 1",
            "expected lines of an id, a rainfall and numbers with commas in between",
        ),
        ("train.txt/train_9", "expected 612060 numbers per line, got 3"),
    ]


@pytest.mark.parametrize("content", [b"", b"id,text,hello\n", b"a picture of a cat\n"])
def test_other_texts_of_that_name_are_not_taken_for_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "train.txt").write_bytes(content)
    assert not CIKM2017.recognises(Folder(tmp_path))
