from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from formats.case import moving_square, walk
from formats.folder_of_videos import write_csv, write_parquet, write_pictures
from reading import found_in

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.video import encode_mp4
from worldmodel.data.formats.plain.videos import VideoFolder
from worldmodel.data.index import scanned
from worldmodel.data.recording import View
from worldmodel.errors import InputError


def scan(folder: Path) -> tuple[VideoFolder, list[View]]:
    reader = VideoFolder(Folder(folder))
    return reader, [view for view in found_in(reader) if isinstance(view, View)]


def write_video(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_mp4(frames, 12))


def test_real_clips(data: Path) -> None:
    reader, views = scan(data / "kth_clips")
    assert {view.recording.name: view.recording.part for view in views} == {
        "test_example.avi": "test",
        "train_example1.avi": "train",
        "train_example2.avi": "train",
        "val_example1.avi": "validation",
        "val_example2.avi": "validation",
    }
    for view in views:
        assert (view.camera.length, view.camera.height, view.camera.width, view.camera.fps) == (
            75,
            32,
            32,
            25,
        )
        assert (view.recording.domain, view.camera.name, view.recording.action_names) == (
            "kth_clips",
            "",
            (),
        )
        with av.open(str(data / "kth_clips" / view.recording.name)) as container:
            decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        pixels = reader.frames(*view, range(40, 44)).pixels
        np.testing.assert_allclose(pixels, np.stack(decoded[40:44]), atol=3)
        assert np.abs(pixels - pixels.mean(axis=3, keepdims=True)).max() < 3, "gray, as published"


@pytest.mark.parametrize("steps", [5, 6])
@pytest.mark.parametrize("suffix", ["npz", "csv", "parquet", "json"])
def test_of_as_many_actions_as_frames_the_last_is_dropped(
    tmp_path: Path, suffix: str, steps: int
) -> None:
    write_video(tmp_path / "a.mp4", moving_square(0, 6))
    actions = walk(0, steps, 2, np.float64)
    path, columns = tmp_path / f"a.{suffix}", {"dx": actions[:, 0], "dy": actions[:, 1]}
    match suffix:
        case "npz":
            np.savez(path, action=actions)
        case "csv":
            write_csv(path, columns)
        case "parquet":
            write_parquet(path, columns)
        case _:
            path.write_text(json.dumps({"actions": actions.tolist()}))
    reader, (view,) = scan(tmp_path)
    np.testing.assert_array_equal(reader.signals(*view).actions, actions[:5])
    named = suffix in ("csv", "parquet")
    assert view.recording.action_names == (("dx", "dy") if named else ("action_0", "action_1"))
    assert view.recording.action_units == ("", "")


def test_json_says_names_units_and_rate(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", moving_square(0, 3))
    content = {
        "actions": [1, 2],
        "action_names": ["dx"],
        "action_units": ["m"],
        "states": [[0.5], [1], [2]],
        "state_names": ["x"],
        "fps": 7.5,
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    reader, (view,) = scan(tmp_path)
    assert (view.recording.action_names, view.recording.action_units) == (("dx",), ("m",))
    assert (view.recording.state_names, view.camera.fps) == (("x",), 7.5)
    actions, states = reader.signals(*view)
    assert actions.tolist() == [[1], [2]]
    assert states.tolist() == [[0.5], [1], [2]]


def test_json_without_actions_is_a_caption(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", moving_square(0, 3))
    (tmp_path / "a.json").write_text('{"caption": "a square", "fps": 30}')
    write_video(tmp_path / "b.mp4", moving_square(0, 3))
    _, (captioned, other) = scan(tmp_path)
    assert (captioned.recording.action_names, captioned.camera.fps) == ((), 30)
    assert (other.recording.action_names, other.camera.fps) == ((), 12)


def test_columns_of_tables(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", moving_square(0, 3))
    (tmp_path / "a.csv").write_text(
        "timestamp,State_x,dx,observation.y,gripper,Frame\n0,1,2,3,4,0\n.1,5,6,7,8,1\n.2,9,,11,,2\n"
    )
    reader, (view,) = scan(tmp_path)
    assert view.recording.action_names == ("dx", "gripper")
    assert view.recording.state_names == ("State_x", "observation.y")
    actions, states = reader.signals(*view)
    assert actions.tolist() == [[2, 4], [6, 8]]
    assert states.tolist() == [[1, 3], [5, 7], [9, 11]]


def test_pictures_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    frames = moving_square(0, 12)
    write_pictures(tmp_path / "a", frames, first=90, step=5)
    reader, (view,) = scan(tmp_path)
    assert view.recording.file == "a/frame_90.png"
    np.testing.assert_array_equal(reader.frames(*view, range(12)).pixels, frames)
    np.testing.assert_array_equal(reader.frames(*view, range(2, 4)).pixels, frames[2:4])


def test_the_folder_itself_may_be_a_recording(tmp_path: Path) -> None:
    write_pictures(tmp_path, moving_square(0, 4))
    np.savez(tmp_path / "actions.npz", actions=walk(0, 3, 1))
    _, (view,) = scan(tmp_path)
    assert (view.recording.name, view.recording.domain, view.camera.name) == (
        tmp_path.name,
        tmp_path.name,
        "",
    )
    assert view.recording.action_names == ("action_0",)


def test_a_single_video_is_a_data_set(tmp_path: Path) -> None:
    write_video(tmp_path / "walk" / "a.mp4", moving_square(0, 4))
    _, (view,) = scan(tmp_path / "walk" / "a.mp4")
    assert view.recording.name == "a.mp4"


def test_a_folder_of_folders_of_pictures_may_be_one_recording(tmp_path: Path) -> None:
    for number, camera in enumerate(("front", "wrist")):
        write_pictures(tmp_path / "a" / camera, moving_square(number, 4))
    _, views = scan(tmp_path)
    assert [(view.recording.name, view.camera.name) for view in views] == [
        ("a/front", ""),
        ("a/wrist", ""),
    ]
    np.savez(tmp_path / "a" / "actions.npz", actions=walk(0, 3, 1))
    reader, views = scan(tmp_path)
    assert [(view.recording.name, view.camera.name) for view in views] == [
        ("a", "front"),
        ("a", "wrist"),
    ]
    np.testing.assert_array_equal(reader.frames(*views[1], range(4)).pixels, moving_square(1, 4))


@pytest.mark.parametrize("place", ["rec/actions.csv", "rec.csv"])
@pytest.mark.parametrize("films", ["videos", "pictures"])
def test_actions_of_all_cameras_are_in_their_folder_or_beside_it(
    tmp_path: Path, place: str, films: str
) -> None:
    for camera in range(2):
        if films == "videos":
            write_video(tmp_path / "rec" / f"cam{camera}.mp4", moving_square(camera, 6))
        else:
            write_pictures(tmp_path / "rec" / f"cam{camera}", moving_square(camera, 6))
    actions = walk(0, 5, 2, np.float64)
    write_csv(tmp_path / place, {"dx": actions[:, 0], "dy": actions[:, 1]})
    reader, views = scan(tmp_path)
    assert [(view.recording.name, view.camera.name) for view in views] == [
        ("rec", "cam0"),
        ("rec", "cam1"),
    ]
    for view in views:
        np.testing.assert_array_equal(reader.signals(*view).actions, actions)


def test_pictures_beside_videos_are_not_their_frames(tmp_path: Path) -> None:
    for number in range(3):
        write_video(tmp_path / f"{number}.mp4", moving_square(number, 4))
    write_pictures(tmp_path, moving_square(0, 3))
    assert [view.recording.name for view in scan(tmp_path)[1]] == ["0.mp4", "1.mp4", "2.mp4"]


def test_classes_and_parts_are_folders(tmp_path: Path) -> None:
    names = {
        "Validation/walk/a.mp4": ("walk", "validation"),
        "test/b.mp4": (tmp_path.name, "test"),
        "walk/train-3.mp4": ("walk", "train"),
        "walk/trainer.mp4": ("walk", ""),
    }
    for name in names:
        write_video(tmp_path / name, moving_square(0, 2))
    assert {
        view.recording.name: (view.recording.domain, view.recording.part)
        for view in scan(tmp_path)[1]
    } == names


def test_the_first_file_of_actions_is_noticed_by_all_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLDMODEL_CACHE", str(tmp_path / "cache"))
    for name in "ab":
        write_video(tmp_path / "set" / f"{name}.mp4", moving_square(0, 4))
    found = scanned(VideoFolder(Folder(tmp_path / "set")))
    assert [recording.action_names for recording in found.recordings] == [(), ()]
    np.savez(tmp_path / "set" / "a.npz", actions=walk(0, 3, 1))
    found = scanned(VideoFolder(Folder(tmp_path / "set")))
    assert [recording.name for recording in found.recordings] == ["a.mp4"]
    assert [str(flaw) for flaw in found.flaws] == ["b.mp4: has no file of actions, and others have"]


def test_what_is_no_folder_of_videos(tmp_path: Path) -> None:
    (tmp_path / "figure_1.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    assert not VideoFolder.recognises(Folder(tmp_path))
    (tmp_path / "figure_1.png").unlink()
    with pytest.raises(InputError, match=r"expected videos .* found 1 other files"):
        scan(tmp_path)
