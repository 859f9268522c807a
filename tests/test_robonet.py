"""The RoboNet reader and writer against real files, an independent decoder and damage."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from reading import frames_of, opened

from worldmodel.data.files.video import encode_mp4
from worldmodel.data.formats.robots.robonet.writer import METADATA, write_episode
from worldmodel.errors import InputError

TIME = 9


def moving_squares(time: int = TIME, height: int = 48, width: int = 64) -> np.ndarray:
    frames = np.full((time, height, width, 3), (120, 130, 140), np.uint8)
    for t in range(time):
        frames[t, 8:20, 2 * t : 2 * t + 12] = (230, 20, 30)
        frames[t, 24:40, 40 - t : 52 - t] = (20, 40, 220)
    return frames


def write(path: Path, width: int = 5, **changes) -> Path:
    rng = np.random.default_rng(len(path.name))
    recording = {
        "cameras": [moving_squares(), moving_squares()[::-1]],
        "actions": rng.normal(size=(TIME - 1, width)),
        "states": rng.uniform(size=(TIME, 5)),
        "action_names": ("dx", "dy", "dz", "dyaw", "gripper")[:width],
        "low_bound": np.zeros(5),
        "high_bound": np.array([1, 1, 1, 3, 0.8]),
        "metadata": {"laboratory": "north", "robot": "panda"},
    }
    write_episode(path, **(recording | changes))
    return path


def array(file: h5py.File, key: str) -> np.ndarray:
    dataset = file[key]
    assert isinstance(dataset, h5py.Dataset)
    return dataset[:]


def decoded_by_ffmpeg(video: np.ndarray, shape: tuple[int, ...], folder: Path) -> np.ndarray:
    path = folder / "video.mp4"
    path.write_bytes(video.tobytes())
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path]
    pixels = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("encoding", ["mp4", "jpeg"])
def test_what_is_written_is_read_back(tmp_path: Path, encoding: str) -> None:
    actions = np.random.default_rng(0).normal(size=(TIME - 1, 5)).astype(np.float32)
    write(tmp_path / "a.hdf5", actions=actions, encoding=encoding)
    source = opened(tmp_path)
    frames, view = frames_of(source, 0), source.views[0]
    assert frames.shape == (TIME, 48, 64, 3)
    assert all(psnr(*pair) > 38 for pair in zip(frames, moving_squares(), strict=True))
    np.testing.assert_array_equal(source.actions(0), actions)
    assert (view.recording.name, view.recording.domain, view.camera.name) == (
        "a.hdf5",
        "north",
        "cam0",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.hdf5"]


def test_written_file_follows_the_published_layout(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.hdf5")) as file:
        assert np.asarray(file["file_version"]) == b"0.1.0"
        assert dict(file["env"].attrs) == {"n_cams": 2, "cam_encoding": "mp4"}
        attributes = file["env/cam1_video/frames"].attrs
        assert attributes["T"] == TIME
        np.testing.assert_array_equal(np.asarray(attributes["shape"]), (48, 64, 3))
        assert array(file, "env/low_bound").shape == array(file, "env/high_bound").shape == (1, 5)
        assert set(METADATA) <= set(file["metadata"].attrs)
        video = array(file, "env/cam1_video/frames")
    frames = decoded_by_ffmpeg(video, (TIME, 48, 64, 3), tmp_path)
    assert psnr(frames, moving_squares()[::-1]) > 38


def test_all_cameras_are_episodes_of_one_name(tmp_path: Path) -> None:
    write(tmp_path / "a.hdf5")
    write(tmp_path / "b.hdf5", metadata={"robot": "sawyer"})
    source = opened(tmp_path, camera="all")
    assert [view.recording.name for view in source.views] == [
        "a.hdf5",
        "a.hdf5",
        "b.hdf5",
        "b.hdf5",
    ]
    assert source.domains == ("north", "sawyer")
    assert psnr(frames_of(source, 1), moving_squares()[::-1]) > 38


@pytest.mark.parametrize(("image_format", "color"), [("RGB", (250, 5, 5)), ("BGR", (5, 5, 250))])
def test_pictures_of_another_writer_keep_their_colors(
    tmp_path: Path, image_format: str, color: tuple[int, int, int]
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (250, 5, 5)).save(buffer, "JPEG")
    red = np.frombuffer(buffer.getvalue(), np.uint8)
    with h5py.File(write(tmp_path / "a.hdf5"), "r+") as file:
        file["env"].attrs.update({"cam_encoding": "jpeg", "n_cams": 1})
        del file["env/cam0_video/frames"]
        for t in range(TIME):
            picture = file.create_dataset(f"env/cam0_video/frame{t}", data=red[:, None])
            picture.attrs.update({"shape": (16, 16, 3), "image_format": image_format})
    frames = frames_of(opened(tmp_path), 0)
    assert np.abs(frames.reshape(-1, 3).astype(int) - color).max() < 8


def test_usable_steps_are_the_shortest_of_states_frames_and_actions(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.hdf5"), "r+") as file:
        replace(file, "env/state", array(file, "env/state")[: TIME - 2])
    source = opened(tmp_path)
    assert source.views[0].camera.length == len(frames_of(source, 0)) == TIME - 2
    assert len(source.actions(0)) == TIME - 3


def test_autograsp_gripper_follows_the_next_state(tmp_path: Path) -> None:
    states = np.zeros((TIME, 5))
    states[4:, -1] = 0.7
    write(tmp_path / "a.hdf5", width=4, states=states, metadata={"primitives": "autograsp"})
    write(tmp_path / "b.hdf5", width=5)
    source = opened(tmp_path, action_width=5)
    np.testing.assert_allclose(source.actions(0)[:, -1], [0] * 3 + [0.8] * 5)
    assert source.action_names[-1] == "gripper"


def test_actions_are_padded_and_cut_where_a_width_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "a.hdf5", width=4)
    write(tmp_path / "b.hdf5", width=5)
    narrow, wide = (opened(tmp_path, action_width=width) for width in (4, 6))
    assert narrow.action_names == ("dx", "dy", "dz", "dyaw")
    assert wide.action_names == ("dx", "dy", "dz", "dyaw", "gripper", "padding_5")
    np.testing.assert_array_equal(wide.actions(0)[:, 4:], 0)
    np.testing.assert_array_equal(wide.actions(0)[:, :4], narrow.actions(0))
    np.testing.assert_array_equal(wide.actions(1)[:, :4], narrow.actions(1))
    assert wide.actions(1)[:, 4].all()


def test_the_name_tells_the_domain_of_a_file_that_does_not(tmp_path: Path) -> None:
    write(tmp_path / "berkeley_sawyer_7.hdf5", metadata={})
    assert opened(tmp_path).domains == ("berkeley",)


def edit(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return damage


def replace(file: h5py.File, key: str, value: np.ndarray) -> None:
    attributes = dict(file[key].attrs)
    del file[key]
    file[key] = value
    file[key].attrs.update(attributes)


def not_a_number(file: h5py.File) -> None:
    actions = array(file, "policy/actions")
    actions[3, 1] = np.nan
    replace(file, "policy/actions", actions)


def rename_actions(file: h5py.File) -> None:
    file.move("policy/actions", "policy/commands")


def integer_actions(file: h5py.File) -> None:
    replace(file, "policy/actions", np.ones((TIME - 1, 5), np.int64))


def float_video(file: h5py.File) -> None:
    replace(file, "env/cam0_video/frames", np.ones(5))


def no_actions(file: h5py.File) -> None:
    replace(file, "policy/actions", np.ones((0, 5), np.float32))


def no_frame_count(file: h5py.File) -> None:
    del file["env/cam0_video/frames"].attrs["T"]


def no_cameras(file: h5py.File) -> None:
    file["env"].attrs["n_cams"] = 0


def unknown_encoding(file: h5py.File) -> None:
    file["env"].attrs["cam_encoding"] = "webp"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: os.truncate(path, path.stat().st_size // 2), "truncated"),
        (lambda path: path.write_text("hello"), "not a readable HDF5 file"),
        (lambda path: path.write_bytes(b""), "not a readable HDF5 file"),
        (edit(not_a_number), "NaN or infinity at 1 of 8 steps, first at step 3"),
        (edit(rename_actions), "no dataset 'policy/actions'; available: .*policy/commands"),
        (edit(integer_actions), "floating point .T, D., got int64"),
        (edit(float_video), "encoded bytes, uint8, got float64"),
        (edit(no_actions), "at least 2 usable frames, got 9 states, 9 frames .* 0 actions"),
        (edit(no_frame_count), "no numeric attribute 'T'; available: image_format, shape"),
        (edit(no_cameras), "expected cameras, declares 0"),
        (edit(unknown_encoding), "mp4 or jpeg, got 'webp'"),
    ],
)
def test_damage_is_refused_when_the_source_is_opened(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    write(tmp_path / "good.hdf5")
    damage(write(tmp_path / "bad.hdf5"))
    with pytest.raises(InputError, match=rf"cannot be used: bad.hdf5: .*{message}"):
        opened(tmp_path)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_a_cut_video_is_refused_not_padded(tmp_path: Path, keep: float) -> None:
    with h5py.File(write(tmp_path / "a.hdf5"), "r+") as file:
        data = array(file, "env/cam0_video/frames")
        replace(file, "env/cam0_video/frames", data[: int(keep * len(data))])
    with pytest.raises(InputError, match=r"a.hdf5: cam0: no readable video"):
        opened(tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7])
def test_a_scratched_video_is_refused_not_patched_up(tmp_path: Path, part: float) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (TIME, 48, 64, 3), np.uint8)
    with h5py.File(write(tmp_path / "a.hdf5", cameras=[frames]), "r+") as file:
        data = array(file, "env/cam0_video/frames")
        place = int(part * len(data))
        data[place : place + 200] = rng.integers(0, 256, 200)
        replace(file, "env/cam0_video/frames", data)
    source = opened(tmp_path)
    with pytest.raises(InputError, match=r"a.hdf5: cam0: (no readable|.*frame.*(decoded|damaged))"):
        frames_of(source, 0)


def test_a_video_shorter_than_declared_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.hdf5")
    video = np.frombuffer(encode_mp4(moving_squares(5)), np.uint8)
    with h5py.File(path, "r+") as file:
        replace(file, "env/cam0_video/frames", video)
    with pytest.raises(InputError, match="declares 9 frames and holds 5"):
        opened(path)


def test_a_damaged_or_missing_picture_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.hdf5", encoding="jpeg")
    with h5py.File(path, "r+") as file:
        picture = array(file, "env/cam0_video/frame3")
        replace(file, "env/cam0_video/frame3", picture[: len(picture) // 2])
    with pytest.raises(InputError, match=r"a.hdf5: cam0: frame 3: (damaged|no readable) picture"):
        frames_of(opened(path), 0)
    with h5py.File(path, "r+") as file:
        file.move("env/cam0_video/frame3", "env/cam0_video/frame99")
    with pytest.raises(InputError, match="no dataset 'env/cam0_video/frame3'"):
        frames_of(opened(path), 0)


def test_recordings_of_other_actions_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.hdf5", width=5)
    write(tmp_path / "b.hdf5", width=4)
    write(tmp_path / "c.hdf5", width=5)
    with pytest.raises(InputError, match=r"b\.hdf5: has 4 actions .* most recordings have 5"):
        opened(tmp_path)


def test_wrong_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: expected a folder or a file"):
        opened(tmp_path / "nowhere")
    with pytest.raises(InputError, match="expected a folder or a file of recordings, got none"):
        opened(tmp_path)
    with pytest.raises(InputError, match="no camera 2 among its 2: cam0, cam1"):
        opened(write(tmp_path / "a.hdf5"), camera=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.zeros((TIME, 5))}, r"actions of shape \(8, 5\), got shape \(9, 5\)"),
        ({"states": np.full((TIME, 5), np.inf)}, "expected finite states"),
        ({"cameras": []}, "at least one camera"),
        ({"cameras": [np.zeros((TIME, 8, 8, 3))]}, "camera 0 to be uint8"),
        ({"cameras": [moving_squares(), moving_squares(4)]}, "camera 1"),
    ],
)
def test_the_writer_refuses_what_the_reader_would(
    tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write(tmp_path / "a.hdf5", **change)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write(write(tmp_path / "file.hdf5") / "a.hdf5")


@pytest.mark.data
class TestRealFiles:
    def test_every_camera_of_every_file_is_found(self, data: Path) -> None:
        source = opened(data / "robonet_franka", camera="all")
        assert len(source) == 23 * 3
        assert {view.camera.length for view in source.views} == {31}
        assert source.domains == ("franka",)

    def test_frames_are_those_of_an_independent_decoder(self, data: Path, tmp_path: Path) -> None:
        path = data / "robonet_franka" / "droid_2_0031.hdf5"
        with h5py.File(path) as file:
            video, actions = array(file, "env/cam1_video/frames"), array(file, "policy/actions")
        frames = decoded_by_ffmpeg(video, (31, 96, 160, 3), tmp_path)
        source = opened(path, camera=1)
        assert np.abs(frames_of(source, 0).astype(int) - frames).mean() < 1
        np.testing.assert_array_equal(source.actions(0), actions)
