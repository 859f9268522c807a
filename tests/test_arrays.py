from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.arrays import rewrite, stacked
from formats.case import moving_square, walk
from reading import found_in, frames_at

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.plain.arrays import Arrays
from worldmodel.data.recording import Frames, Signals, View
from worldmodel.errors import InputError


def scan(folder: Path) -> tuple[Arrays, list[View]]:
    reader = Arrays(Folder(folder))
    return reader, [view for view in found_in(reader) if isinstance(view, View)]


def read(folder: Path) -> tuple[View, Frames, Signals]:
    reader, (view,) = scan(folder)
    return view, reader.frames(*view, range(view.camera.length)), reader.signals(*view)


def test_real_replay_buffers(data: Path) -> None:
    reader, views = scan(data / "metaworld_sawyer")
    assert {view.recording.domain for view in views} == {
        "button-press-topdown-wall",
        "coffee-push",
        "door-lock",
    }
    assert len(views) == 15
    for view in views:
        assert (
            view.camera.length,
            view.camera.height,
            view.camera.width,
            view.camera.channels,
        ) == (101, 64, 64, 3)
        pixels, actions = reader.frames(*view, range(101)).pixels, reader.signals(*view).actions
        with np.load(data / "metaworld_sawyer" / view.recording.name) as file:
            observation, action = file["observation"], file["action"]
        for age in (1, 2):
            older = observation[age:, 6 - 3 * age : 9 - 3 * age].transpose(0, 2, 3, 1)
            np.testing.assert_array_equal(pixels[:-age], older)
        np.testing.assert_array_equal(actions, action[1:])
        assert not action[0].any()
        assert actions[0].any()
        moved = np.abs(np.diff(pixels.astype(int), axis=0)).mean(axis=(1, 2, 3))
        assert moved[0] > 0.3, "the arm moves at once, so the zeros are not its first action"


def test_real_pictures_of_whole_numbers(data: Path) -> None:
    reader, views = scan(data / "bair_sawyer")
    assert [view.camera.name for view in views] == ["image", "aux1_image"]
    with np.load(data / "bair_sawyer" / "bair_sample.npz") as file:
        for view in views:
            assert view.camera.length == 30
            np.testing.assert_array_equal(
                reader.frames(*view, range(7, 12)).pixels, file[view.camera.name][7:12]
            )
            actions = reader.signals(*view).actions
            np.testing.assert_array_equal(actions, file["action"][:-1])
            np.testing.assert_array_equal(actions[0], actions[1])  # each is repeated twice


@pytest.mark.parametrize("lacking", ["reward", "discount", "zeros", "first reward", "rewards"])
def test_actions_are_shifted_only_if_all_marks_of_a_replay_buffer_are_there(
    tmp_path: Path, lacking: str
) -> None:
    actions, rewards = walk(0, 6, 2), walk(1, 6, 1)
    actions[0], rewards[0] = 0, 0
    whole = {
        "image": moving_square(0, 6),
        "action": actions,
        "reward": rewards,
        "discount": np.ones(6),
    }
    np.savez(tmp_path / "a.npz", **whole)
    np.testing.assert_array_equal(read(tmp_path)[2].actions, actions[1:])
    if lacking == "zeros":
        actions[0, 1] = 1e-6
    elif lacking == "first reward":
        rewards[0] = 0.1
    rewrite(
        tmp_path / "a.npz",
        {
            "zeros": {"action": actions},
            "first reward": {"reward": rewards},
            "rewards": {"reward": rewards[:-1]},
        }.get(lacking, {lacking: None}),
    )
    np.testing.assert_array_equal(read(tmp_path)[2].actions, actions[:-1])


def test_is_first_marks_a_replay_buffer_as_discount_does(tmp_path: Path) -> None:
    actions, rewards = walk(0, 6, 2), np.zeros(6)
    actions[0] = 0
    first = np.arange(6) == 0
    image = moving_square(0, 6)
    np.savez(tmp_path / "a.npz", image=image, action=actions, reward=rewards, is_first=first)
    np.testing.assert_array_equal(read(tmp_path)[2].actions, actions[1:])


@pytest.mark.parametrize("layout", ["THWC", "TCHW", "TCHW gray", "THWC gray", "THW"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, ">i2", np.float16, np.float64])
@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_pictures_of_any_layout_and_type(
    tmp_path: Path, layout: str, dtype: str, suffix: str
) -> None:
    truth = moving_square(0, 5)[..., : 3 if layout in ("THWC", "TCHW") else 1]
    array = truth / 255 if np.dtype(dtype).kind == "f" else truth
    array = array.transpose(0, 3, 1, 2) if layout.startswith("TCHW") else array
    array = np.ascontiguousarray(array[..., 0] if layout == "THW" else array, dtype)
    if suffix == "npz":
        np.savez(tmp_path / "a.npz", video=array)
    else:
        np.save(tmp_path / "a.npy", array)
    view, frames, signals = read(tmp_path)
    assert view.camera.name == ("video" if suffix == "npz" else "")
    np.testing.assert_array_equal(frames.pixels, truth)
    assert signals.actions.shape == (4, 0)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_of_stacked_frames_the_newest_is_taken(tmp_path: Path, count: int) -> None:
    truth = moving_square(0, 6)
    stack = np.ascontiguousarray(stacked(truth, count))
    np.savez(tmp_path / "a.npz", observation=stack, action=walk(0, 5, 2))
    np.testing.assert_array_equal(read(tmp_path)[1].pixels, truth)


def test_a_stack_without_actions_may_be_clips_and_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", observation=stacked(moving_square(0, 6)))
    with pytest.raises(InputError, match="expected pictures"):
        scan(tmp_path)


def test_depth_beside_pictures_is_no_camera(tmp_path: Path) -> None:
    depth = np.linspace(0, 5, 6 * 24 * 32).reshape(6, 24, 32)
    np.savez(tmp_path / "a.npz", depth=depth, rgb=moving_square(0, 6), pose=np.zeros((6, 4, 4)))
    assert [view.camera.name for view in scan(tmp_path)[1]] == ["rgb"]


def test_moving_mnist_is_refused(tmp_path: Path) -> None:
    np.lib.format.open_memmap(tmp_path / "mnist_test_seq.npy", "w+", np.uint8, (20, 100, 64, 64))
    with pytest.raises(InputError, match=r"expected pictures .*uint8 \(20, 100, 64, 64\)"):
        scan(tmp_path)


def test_an_npy_file_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    with open(tmp_path / "a.npy", "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 64, 64, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(10_000))
    with pytest.raises(InputError, match="no readable npy"):
        scan(tmp_path)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "executed",)

    trap = np.array([Trap()] * 6, object)
    np.savez(tmp_path / "a.npz", image=moving_square(0, 6), action=trap, note=trap)
    np.save(tmp_path / "b.npy", trap)
    reader = Arrays(Folder(tmp_path))
    assert Arrays.recognises(reader.folder)
    for unit in reader.units():
        with pytest.raises(InputError):
            list(reader.scan(unit))
    assert not (tmp_path / "executed").exists()


def test_an_action_that_is_dropped_may_be_missing(tmp_path: Path) -> None:
    actions = walk(0, 6, 2)
    actions[-1] = np.nan
    np.savez(tmp_path / "a.npz", image=moving_square(0, 6), actions=actions)
    np.testing.assert_array_equal(read(tmp_path)[2].actions, actions[:-1])


def test_actions_of_one_number_and_truths(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=moving_square(0, 4), action=np.array([True, False, True]))
    actions = read(tmp_path)[2].actions
    assert actions.tolist() == [[1], [0], [1]]
    assert actions.dtype == np.float64


def test_two_names_for_the_actions(tmp_path: Path) -> None:
    both: dict[str, Any] = {"action": walk(0, 3, 2), "actions": walk(1, 3, 2)}
    np.savez(tmp_path / "a.npz", image=moving_square(0, 4), **both)
    with pytest.raises(InputError, match="expected one array of actions, got action, actions"):
        scan(tmp_path)


def test_a_directory_that_hides_an_array(tmp_path: Path) -> None:
    """Otherwise a damaged byte could take the actions away without a word."""
    path = tmp_path / "a.npz"
    np.savez(path, image=moving_square(0, 4), action=walk(0, 3, 2))
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 1)
    end = data.index(b"PK\5\6")
    data[first + 32 : first + 34] = (end - second).to_bytes(2, "little")  # length of its comment
    path.write_bytes(data)
    with np.load(path) as file:
        assert file.files == ["image"], "numpy notices nothing"
    with pytest.raises(InputError, match="expected 2 arrays by the directory, got image"):
        scan(tmp_path)


def test_recordings_are_told_apart_by_folders(tmp_path: Path) -> None:
    names = {
        "train/a.npz": (tmp_path.name, "train"),
        "val/push/b.npz": ("push", "validation"),
        "lift/c.npz": ("lift", ""),
        "test_d.npz": (tmp_path.name, "test"),
        "tested.npz": (tmp_path.name, ""),
    }
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        np.savez(tmp_path / name, image=moving_square(0, 3))
    found = {
        view.recording.name: (view.recording.domain, view.recording.part)
        for view in scan(tmp_path)[1]
    }
    assert found == names


def test_other_archives_are_not_recognised(tmp_path: Path) -> None:
    np.savez(tmp_path / "statistics.npz", mean=np.zeros(7))
    (tmp_path / "movie.mp4").write_bytes(b"")
    assert not Arrays.recognises(Folder(tmp_path))
    with pytest.raises(InputError, match=r"expected pictures .*got mean float64 \(7,\)"):
        scan(tmp_path)


def test_an_error_in_a_picture_names_file_and_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    noise = np.random.default_rng(0).integers(0, 255, (9, 24, 32, 3), np.uint8)
    np.savez_compressed(path, image=noise)
    reader, (view,) = scan(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:1000] + b"\xff" * 3000 + data[4000:])
    with pytest.raises(InputError, match=r"^a\.npz: image: frames 2 to 4: image: damaged"):
        frames_at(reader, view, range(2, 5))
