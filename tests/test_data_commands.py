"""`worldmodel data`: what it says, what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from formats.robonet import LENGTHS, RoboNetCase
from PIL import Image
from reading import frames_of, opened

from worldmodel.cli import main
from worldmodel.commands.data.convert import written_format
from worldmodel.data.files.folder import CONVERSION_MARK
from worldmodel.data.writer import Footage, Writer

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Three recordings of two cameras."""
    folder = tmp_path / "logs"
    folder.mkdir()
    RoboNetCase().write(folder)
    return folder


def break_video(logs: Path) -> None:
    """Scratch the pictures of the second recording; its index, at the end, stays whole."""
    with h5py.File(logs / "1.hdf5", "r+") as file:
        frames = file["env/cam1_video/frames"]
        assert isinstance(frames, h5py.Dataset)
        data = frames[:]
        data[60 : data.size // 2] = 255
        frames[:] = data


def test_data_alone_lists_its_commands(capsys: Captured) -> None:
    assert main(["data"]) == 2
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("inspect", "validate", "convert"))
    assert main(["data", "inspct"]) == 2
    assert "available: inspect, validate, convert" in capsys.readouterr().err


def test_inspect_shows_what_there_is(logs: Path, tmp_path: Path, capsys: Captured) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["data", "inspect", str(logs), f"--sheet={sheet}"]) == 0
    shown = capsys.readouterr().out
    assert "| format | RoboNet HDF5 |" in shown
    assert "| recordings | 3 |" in shown
    assert "cam0 24x32 RGB (3); cam1 24x32 RGB (3)" in shown
    assert f"| frames | {sum(LENGTHS)} |" in shown
    assert "| length | 6 to 9, median 7 |" in shown
    assert "franka (2), sawyer (1)" in shown
    source = opened(logs)
    actions = np.concatenate([source.actions(index) for index in range(3)])
    row = next(line for line in shown.splitlines() if line.startswith("| dyaw"))
    _, _, unit, adding, low, mean, high, deviation, _ = row.split("|")
    assert (unit.strip(), adding.strip()) == ("unknown", "summed")
    expected = (f(actions[:, 3]) for f in (np.min, np.mean, np.max, np.std))
    for value, number in zip((low, mean, high, deviation), expected, strict=True):
        assert float(value) == pytest.approx(float(number), rel=1e-3)
    assert "| gripper | unknown | the last" in shown
    picture = np.asarray(Image.open(sheet))
    assert picture.shape[1] == 1370
    orange = np.abs(picture.astype(int) - (220, 80, 90)).max(axis=2) < 30
    assert orange.sum() > 500  # the moving squares


def test_inspect_tells_missing_recordings_once(
    data: Path, tmp_path: Path, capsys: Captured
) -> None:
    given = ["data", "inspect", str(data / "g1_lerobot_v21"), f"--sheet={tmp_path / 'a.png'}"]
    assert main([*given, "--recordings=1"]) == 0
    shown = capsys.readouterr().out
    assert "| recordings | 6 |" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("94 x")]
    assert "episode_000000 to episode_000009, episode_000011 to episode_000019" in line
    assert line.endswith("episode_000031 to episode_000099")
    assert main([*given, "--strict"]) == 2
    assert "94 x" in capsys.readouterr().err


def test_validate_decodes_everything(logs: Path, tmp_path: Path, capsys: Captured) -> None:
    report = tmp_path / "report.jsonl"
    given = ["data", "validate", str(logs), f"--report={report}"]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert f"3 recordings, 6 views, {2 * sum(LENGTHS)} frames" in shown
    assert len(report.read_text().splitlines()) == 6
    break_video(logs)
    assert main(given) == 2
    told = capsys.readouterr()
    assert "1.hdf5" in told.err
    assert "cam1" in told.err
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(lines) == 8  # the two views of the file that has changed were decoded again
    assert [line["reason"] != "" for line in lines] == [False] * 7 + [True]


def test_validate_notes_a_camera_that_sees_nothing(data: Path, capsys: Captured) -> None:
    assert main(["data", "validate", str(data / "bridge_widowx")]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert len(notes) == 25
    assert all("image_3: all pixels are the same" in note for note in notes)


@pytest.mark.slow
def test_validate_in_several_processes_says_the_same(logs: Path, capsys: Captured) -> None:
    break_video(logs)
    assert main(["data", "validate", str(logs)]) == 2
    alone = capsys.readouterr()
    assert main(["data", "validate", str(logs), "--workers=2"]) == 2
    assert capsys.readouterr() == alone


@pytest.mark.parametrize("to", ["robonet", "lerobot", "minari"])
def test_conversions_keep_signals_exactly_and_pictures_nearly(
    logs: Path, tmp_path: Path, to: str, capsys: Captured
) -> None:
    out = tmp_path / to
    assert main(["data", "convert", str(logs), str(out), f"--to={to}"]) == 0
    assert "3 recordings written" in capsys.readouterr().out
    before, after = opened(logs, camera="all"), opened(out, camera="all")
    assert len(after) == len(before) == 6
    assert after.action_names == before.action_names
    for index, (old, new) in enumerate(zip(before.views, after.views, strict=True)):
        assert (new.camera.length, new.camera.height, new.camera.width) == (
            old.camera.length,
            old.camera.height,
            old.camera.width,
        )
        assert new.recording.state_names == old.recording.state_names
        for kept, own in zip(after.signals(index), before.signals(index), strict=True):
            assert kept.dtype == own.dtype
            np.testing.assert_array_equal(kept, own)
        difference = frames_of(after, index).astype(int) - frames_of(before, index)
        limit = 0.0 if to == "minari" else 3.0
        assert np.abs(difference).mean(axis=(1, 2, 3)).max() <= limit


@pytest.mark.parametrize("to", ["robonet", "lerobot", "minari"])
def test_there_and_back_again(logs: Path, tmp_path: Path, to: str) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    assert main(["data", "convert", str(logs), str(there), f"--to={to}"]) == 0
    assert main(["data", "convert", str(there), str(back), "--to=robonet"]) == 0
    first, last = opened(logs), opened(back)
    if to != "lerobot":  # which has one kind of robot per data set
        assert [view.recording.domain for view in last.views] == [
            view.recording.domain for view in first.views
        ]
    for index in range(3):
        for kept, own in zip(last.signals(index), first.signals(index), strict=True):
            np.testing.assert_array_equal(kept, own)


def test_a_damaged_recording_is_left_out_and_named(
    logs: Path, tmp_path: Path, capsys: Captured
) -> None:
    break_video(logs)
    out = tmp_path / "out"
    assert main(["data", "convert", str(logs), str(out), "--to=robonet"]) == 0
    shown = capsys.readouterr().out
    assert "2 recordings written" in shown
    assert "1.hdf5: " in shown
    assert sorted(path.name for path in out.iterdir()) == ["0.hdf5", "2.hdf5"]
    given = ["data", "convert", str(logs), str(tmp_path / "strict"), "--to=robonet", "--strict"]
    assert main(given) == 2
    assert "1.hdf5" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["robonet", "lerobot", "minari"])
def test_a_stopped_conversion_goes_on(
    logs: Path, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    given = ["data", "convert", str(logs), str(out), f"--to={to}"]
    writer = written_format(to).writer
    assert writer is not None
    add, added = writer.add, []

    def interrupted(self: Writer, footage: Footage) -> None:
        if len(added) == 2:
            raise KeyboardInterrupt
        added.append(footage)
        add(self, footage)

    monkeypatch.setattr(writer, "add", interrupted)
    assert main(given) == 130
    assert (out / CONVERSION_MARK).exists()
    monkeypatch.undo()
    assert main(["data", "inspect", str(out)]) == 2
    assert "holds an unfinished conversion" in capsys.readouterr().err
    assert main(given) == 0
    assert not (out / CONVERSION_MARK).exists()
    assert main(["data", "convert", str(logs), str(whole), f"--to={to}"]) == 0
    one, other = opened(out), opened(whole)
    assert [view.recording.name for view in one.views] == [
        view.recording.name for view in other.views
    ]
    for index in range(3):
        np.testing.assert_array_equal(frames_of(one, index), frames_of(other, index))
        np.testing.assert_array_equal(one.actions(index), other.actions(index))


@pytest.mark.parametrize(
    ("given", "name"),
    [("lerobot", "lerobot-v3"), ("LeRobot_V3", "lerobot-v3"), ("RoboNet", "robonet")],
)
def test_formats_to_write_are_found_by_any_spelling(given: str, name: str) -> None:
    assert written_format(given).name == name


def test_a_folder_that_holds_something_else_is_left_alone(
    logs: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("x")
    assert main(["data", "convert", str(logs), str(tmp_path / "out"), "--to=robonet"]) == 2
    assert (
        "holds precious, nothing that `worldmodel data convert` could go on with"
        in capsys.readouterr().err
    )
    assert main(["data", "convert", str(logs), str(logs / "out"), "--to=lerobot"]) == 2
    assert "which is read" in capsys.readouterr().err
