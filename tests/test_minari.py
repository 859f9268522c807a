"""The Minari reader and writer, against the library and real recordings."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import minari
import numpy as np
import pytest
from formats.case import moving_square, walk
from formats.minari import ARM, JPEG, MinariCase, box, write_data_set
from gymnasium import spaces
from reading import found_in, frames_at
from writing import film_of, footage

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.robots.minari import writer as minari_writer
from worldmodel.data.formats.robots.minari.reader import Minari
from worldmodel.data.formats.robots.minari.writer import MinariWriter
from worldmodel.data.formats.robots.robonet.reader import RoboNet
from worldmodel.data.recording import Camera, Recording, Signals, View
from worldmodel.data.writer import Footage
from worldmodel.errors import InputError

HEIGHT, WIDTH, PIECE = 40, 48, 7


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minari_writer, "PIECE_BYTES", PIECE * 2 * HEIGHT * WIDTH * 3 + 1)


def noise(number: int, length: int) -> np.ndarray:
    """What JPEG cannot keep."""
    size = (length, HEIGHT, WIDTH, 3)
    return np.random.default_rng(number).integers(0, 256, size, np.uint8)


def films(number: int, length: int) -> dict[str, np.ndarray]:
    return {"wrist": noise(number, length), "/front/rgb": noise(number + 90, length)}


def recording(number: int, length: int, dtype: type = np.float64, **others: Any) -> Footage:
    values: dict[str, Any] = {
        "name": f"shelf/{number}.hdf5",
        "films": films(number, length),
        "signals": Signals(walk(number, length - 1, 3, dtype), walk(number + 9, length, 2, dtype)),
        "action_names": ("dx", "dyaw", "gripper"),
        "action_units": ("m", "rad", ""),
        "state_names": ("x", "yaw"),
        "fps": 29.97,
        "domain": f"Zürich {number}",
        "instruction": "push the mug",
    }
    return footage(**(values | others))


def views_of(folder: Path) -> list[View]:
    reader = Minari(Folder(folder))
    views = found_in(reader)
    assert all(isinstance(view, View) for view in views), views
    return [view for view in views if isinstance(view, View)]


def assert_written(folder: Path, recordings: list[Footage]) -> None:
    reader, views = Minari(Folder(folder)), iter(views_of(folder))
    for wanted in recordings:
        for camera in wanted.recording.cameras:
            view = next(views)
            assert view.camera.name == camera.name
            assert view.camera.length == len(wanted)
            assert view.camera.fps == camera.fps
            np.testing.assert_array_equal(
                reader.frames(*view, range(camera.length)).pixels, film_of(wanted, camera.name)
            )
            for read, written in zip(reader.signals(*view), wanted.signals, strict=True):
                assert read.dtype == written.dtype
                np.testing.assert_array_equal(read, written)
            for key in ("action_names", "action_units", "state_names", "domain", "instruction"):
                assert getattr(view.recording, key) == getattr(wanted.recording, key)
    assert next(views, None) is None


def test_a_data_set_comes_back_exactly(tmp_path: Path) -> None:
    recordings = [
        recording(number, length, dtype)
        for number, (length, dtype) in enumerate(
            [(2, np.float64), (PIECE, np.float64), (PIECE + 1, np.float32), (2 * PIECE + 2, float)],
            1,
        )
    ]
    with MinariWriter(tmp_path / "mugs") as writer:
        for one in recordings:
            writer.add(one)
    assert_written(tmp_path / "mugs", recordings)


def test_the_library_reads_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = [recording(1, PIECE + 5), recording(2, 3)]
    with MinariWriter(tmp_path / "mugs-v2") as writer:
        for one in recordings:
            writer.add(one)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert list(minari.list_local_datasets()) == ["mugs-v2"]
    loaded = minari.load_dataset("mugs-v2")
    assert (loaded.total_episodes, loaded.total_steps) == (2, PIECE + 4 + 2)
    for episode, written in zip(loaded, recordings, strict=True):
        assert len(episode) == len(written) - 1
        np.testing.assert_array_equal(episode.actions, written.signals.actions)
        np.testing.assert_array_equal(episode.observations["state"], written.signals.states)
        pixels = film_of(written, "wrist")
        np.testing.assert_array_equal(episode.observations["wrist"], pixels)
        np.testing.assert_array_equal(
            episode.truncations, np.arange(len(episode)) == len(episode) - 1
        )
        for step in range(len(written)):
            now = {key: values[step] for key, values in episode.observations.items()}
            assert now in loaded.observation_space
        assert episode.actions[0] in loaded.action_space


def test_the_library_alone_would_lose_pixels(tmp_path: Path) -> None:
    frames = noise(0, 4)
    space = box(HEIGHT, WIDTH, 3, dtype=np.uint8)
    for name, jpeg in (("lossy-v0", True), ("exact-v0", False)):
        data = tmp_path / name / "data"
        write_data_set(data, space, box(1), [(frames, walk(0, 3, 1))], jpeg_encoding=jpeg)
    pixels = {
        name: Minari(Folder(tmp_path / name)).frames(*views_of(tmp_path / name)[0], range(4)).pixels
        for name in ("lossy-v0", "exact-v0")
    }
    assert np.abs(pixels["lossy-v0"].astype(int) - frames).mean() > 10
    np.testing.assert_array_equal(pixels["exact-v0"], frames)


def test_a_name_that_the_library_would_refuse_is_changed(tmp_path: Path) -> None:
    with MinariWriter(tmp_path / "my mugs.2") as writer:
        writer.add(recording(1, 3))
    assert minari.MinariDataset(tmp_path / "my mugs.2/data").spec.dataset_id == "my_mugs_2-v0"


def test_recordings_without_actions_and_states_are_written(tmp_path: Path) -> None:
    bare = recording(
        1,
        PIECE + 3,
        signals=Signals(np.zeros((PIECE + 2, 0)), np.zeros((PIECE + 3, 0), np.float32)),
        action_names=(),
        action_units=(),
        state_names=(),
    )
    with MinariWriter(tmp_path) as writer:
        writer.add(bare)
    assert_written(tmp_path, [bare])


def test_an_interrupted_export_goes_on(tmp_path: Path) -> None:
    first, second, third = (recording(number, PIECE + 9) for number in (1, 2, 3))

    def interrupted(camera: Camera) -> Iterator[np.ndarray]:
        if camera.name == "/front/rgb":
            yield from second.frames(camera)
            return
        yield from noise(2, PIECE + 2)
        raise KeyboardInterrupt

    def never(camera: Camera) -> Iterator[np.ndarray]:
        raise AssertionError("it was there")

    half = replace(second, frames=interrupted)
    writer = MinariWriter(tmp_path)
    writer.add(first)
    with pytest.raises(KeyboardInterrupt), writer:
        writer.add(half)
    there = replace(first, frames=never)
    with MinariWriter(tmp_path) as again:
        for one in (there, second, third):
            again.add(one)
    assert_written(tmp_path, [first, second, third])
    assert minari.MinariDataset(tmp_path / "data").total_steps == 3 * (PIECE + 8)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"action_names": ("dx", "dy", "gripper")}, "expected action_names as in"),
        ({"action_units": ("mm", "rad", "")}, "expected action_units as in"),
        ({"films": {"wrist": noise(1, 4)}}, "expected camera_names as in"),
        (
            {"films": {name: moving_square(0, 4) for name in ("wrist", "/front/rgb")}},
            r"expected observations as in the recordings.*\(24, 32, 3\)",
        ),
        ({"films": {"a/b": noise(1, 4), "a_b": noise(1, 4)}}, "of different names"),
        ({"films": {"state": noise(1, 4)}}, "none of them 'state'"),
        ({"instruction": "nul \0"}, "cannot be written"),
        (
            {"films": films(1, 3)},
            "expected more pictures than 3",
        ),
        ({"films": films(1, 5)}, "expected 4 pictures of wrist, /front/rgb, got more"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    first, last = recording(1, 6), recording(3, 5)
    with MinariWriter(tmp_path) as writer:
        writer.add(first)
        with pytest.raises(InputError, match=reason):
            writer.add(recording(2, 4, **change))
        writer.add(last)
        with pytest.raises(InputError, match=reason):
            writer.add(recording(2, 4, **change))
    assert_written(tmp_path, [first, last])
    assert minari.MinariDataset(tmp_path / "data").total_steps == 5 + 4


def test_pictures_of_another_size_than_declared_are_refused(tmp_path: Path) -> None:
    reason = r"expected pictures uint8 \(40, 48, 3\), got uint8 \(24, 32, 3\) at frame 0"
    first, last = recording(1, 6), recording(3, 5)
    small = replace(recording(2, 4), frames=lambda camera: iter(moving_square(0, 4)))
    with MinariWriter(tmp_path) as writer:
        writer.add(first)
        with pytest.raises(InputError, match=reason):
            writer.add(small)
        writer.add(last)
    assert_written(tmp_path, [first, last])


def test_a_data_set_of_others_is_left_alone(tmp_path: Path) -> None:
    MinariCase().write(tmp_path)
    data = tmp_path / ARM
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    with MinariWriter(data.parent) as writer:
        for number in (1, 2):
            with pytest.raises(InputError, match="expected camera_names as in"):
                writer.add(recording(number, 3))
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_real_recordings_come_back_exactly(tmp_path: Path, data: Path) -> None:
    folder = Folder(data / "robonet_franka")
    reader = RoboNet(folder)
    first = next(iter(reader.scan(next(iter(reader.units())))))
    assert isinstance(first, Recording)
    real = Footage(
        first,
        reader.signals(first, first.cameras[0]),
        lambda camera: iter(reader.frames(first, camera, range(camera.length)).pixels),
    )
    assert len(real) == 31
    with MinariWriter(tmp_path / "franka") as writer:
        writer.add(real)
    assert_written(tmp_path / "franka", [real])


def test_only_the_pictures_that_are_asked_for_are_decoded(tmp_path: Path) -> None:
    MinariCase().write(tmp_path)
    MinariCase().damages()["garbage for a JPEG"].apply(tmp_path)
    reader = Minari(Folder(tmp_path))
    view = next(
        view
        for view in views_of(tmp_path)
        if f"{JPEG}/main_data.hdf5/episode_1" == view.recording.name
    )
    assert [len(reader.frames(*view, steps).pixels) for steps in (range(3), range(4, 5))] == [3, 1]
    with pytest.raises(InputError, match=r"episode_1: .*frame 3: no readable picture"):
        frames_at(reader, view, range(2, 4))


def test_jpegs_of_one_length_are_read(tmp_path: Path) -> None:
    frames = np.repeat(moving_square(0, 1, 48, 56), 4, axis=0)
    data = tmp_path / "still-v0/data"
    write_data_set(data, box(48, 56, 3, dtype=np.uint8), box(1), [(frames, walk(0, 3, 1))])
    with h5py.File(data / "main_data.hdf5") as file:
        stored = file["episode_0/observations"]
        assert isinstance(stored, h5py.Dataset)
        assert stored.ndim == 2
    (view,) = views_of(tmp_path)
    decoded = next(iter(minari.MinariDataset(data))).observations
    np.testing.assert_array_equal(Minari(Folder(tmp_path)).frames(*view, range(4)).pixels, decoded)


def test_cameras_states_and_actions_are_found_anywhere_in_the_spaces(tmp_path: Path) -> None:
    picture = box(24, 32, 1, dtype=np.uint8)
    stack = box(4, 24, 32, dtype=np.uint8)
    observation = spaces.Tuple((spaces.Dict(rgb=picture, stack=stack), box(1), box(2, 2)))
    action = spaces.Dict(arm=box(2, dtype=np.float32), grip=spaces.Discrete(2))
    gray = moving_square(0, 3)[..., :1]
    parts = {"rgb": gray, "stack": np.zeros((3, 4, 24, 32), np.uint8)}
    observed = (parts, walk(0, 3, 1, float), np.full((3, 2, 2), np.nan))
    moved = {"arm": walk(1, 2, 2), "grip": np.array([0, 1])}
    write_data_set(tmp_path / "d-v0/data", observation, action, [(observed, moved)])
    (view,) = views_of(tmp_path)
    assert (view.camera.name, view.camera.channels, view.recording.domain) == ("0/rgb", 1, "d-v0")
    assert (view.recording.action_names, view.recording.state_names) == (
        ("arm_0", "arm_1", "grip"),
        ("1",),
    )
    np.testing.assert_array_equal(Minari(Folder(tmp_path)).frames(*view, range(3)).pixels, gray)


def test_the_domain_is_the_environment(tmp_path: Path) -> None:
    MinariCase().write(tmp_path)
    path = tmp_path / ARM / "metadata.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"env_spec": json.dumps({"id": "FetchPush-v4"})}))
    assert views_of(tmp_path / ARM)[0].recording.domain == "FetchPush-v4"


def test_code_that_the_data_names_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text("raise AssertionError('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    MinariCase().write(tmp_path / "sets")
    path = tmp_path / "sets" / ARM / "metadata.json"
    said = json.loads(path.read_text())
    del said["observation_space"]
    path.write_text(
        json.dumps(said | {"env_spec": json.dumps({"id": "a-v0", "entry_point": "planted:Arm"})})
    )
    with pytest.raises(InputError, match="'observation_space' to describe a space, available"):
        views_of(path.parent)
    assert "planted" not in sys.modules


def test_a_missing_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MinariCase().write(tmp_path)
    for module in ("minari.serialization", "minari.dataset.minari_storage"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r"pip install 'worldmodel\[logs\]'"):
        views_of(tmp_path)
    with pytest.raises(InputError, match=r"pip install 'worldmodel\[logs\]'"):
        MinariWriter(tmp_path / "new").add(recording(1, 3))


def test_a_folder_without_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(InputError, match=r"expected main_data\.hdf5, found 1 other files"):
        list(Minari(Folder(tmp_path)).units())
    assert not Minari.recognises(Folder(tmp_path))
