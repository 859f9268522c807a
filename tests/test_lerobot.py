"""LeRobotDatasets: real ones, what the format allows, and what is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats.case import moving_square, walk
from formats.lerobot_v2 import LeRobotV2Case
from formats.lerobot_v3 import (
    FPS,
    FRONT,
    NAMES,
    WRIST,
    LeRobotV3Case,
    data_rows,
    edited_rows,
    info,
    write_groups,
    write_json,
)
from reading import found_in
from writing import film_of, footage

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.parquet import Parquet
from worldmodel.data.formats.robots.lerobot.info import filled
from worldmodel.data.formats.robots.lerobot.statistics import PictureStatistics, in_all, of_numbers
from worldmodel.data.formats.robots.lerobot.v2 import LeRobotV2
from worldmodel.data.formats.robots.lerobot.v3 import LeRobotV3
from worldmodel.data.formats.robots.lerobot.writer import LeRobotWriter
from worldmodel.data.reader import Reader
from worldmodel.data.recording import Camera, Flaw, Signals, View
from worldmodel.data.writer import Footage
from worldmodel.errors import InputError

PUBLISHED = [
    (0, 0, [0.4183, -0.1657, 0.5165], [0.4175, -0.1680, 0.5165], 0.36091, 0.26579),
    (1, 2, [0.4477, 0.1030, 0.5206], [0.4515, 0.0941, 0.5196], 0.38207, 0.24213),
    (10, 119, [0.4943, -0.0516, 0.5362], None, 0.40853, 0.39624),
]
"""What the library returns: episode, frame, state, action, means of both pictures."""


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of version 3, not to be changed."""
    path = tmp_path_factory.mktemp("forged")
    LeRobotV3Case().write(path)
    return path


@pytest.fixture
def folder(forged: Path, tmp_path: Path) -> Path:
    """A data set of version 3."""
    return shutil.copytree(forged, tmp_path / "recordings")


@pytest.mark.data
@pytest.mark.parametrize(("episode", "step", "state", "action", "exterior", "wrist"), PUBLISHED)
def test_a_real_data_set_is_read_as_by_the_library(
    data: Path,
    episode: int,
    step: int,
    state: list[float],
    action: list[float] | None,
    exterior: float,
    wrist: float,
) -> None:
    reader = LeRobotV3(Folder(data / "lerobot_v3_franka"))
    views = {(view.recording.name, view.camera.name): view for view in found(reader)[0]}
    for camera, mean in (("exterior", exterior), ("wrist", wrist)):
        view = views[f"episode_{episode:06d}", camera]
        signals = reader.signals(*view)
        assert signals.states[step, :3] == pytest.approx(state, abs=6e-5)
        if action is not None:
            assert signals.actions[step, :3] == pytest.approx(action, abs=6e-5)
        pixels = reader.frames(*view, range(step, step + 1)).pixels
        assert (pixels / 255).mean() == pytest.approx(mean, abs=6e-6)


@pytest.mark.data
def test_a_real_data_set_is_complete(data: Path) -> None:
    views, flaws = found(LeRobotV3(Folder(data / "lerobot_v3_franka")))
    assert not flaws
    assert len(views) == 22
    assert sum(view.camera.length for view in views[::2]) == 843
    assert {(view.camera.height, view.camera.width, view.camera.fps) for view in views} == {
        (192, 320, 5)
    }
    assert views[2].recording.instruction == "Put the blue block in the green bowl"
    assert views[0].recording.action_names == ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
    assert {view.recording.domain for view in views} == {"franka"}


@pytest.mark.data
def test_of_a_partly_downloaded_data_set_the_rest_is_read(data: Path) -> None:
    reader = LeRobotV2(Folder(data / "g1_lerobot_v21"))
    views, flaws = found(reader)
    assert [view.recording.name for view in views] == [
        f"episode_{n:06d}" for n in (10, 20, 24, 28, 29, 30)
    ]
    assert [view.camera.length for view in views] == [290, 297, 297, 278, 221, 277]
    assert len(flaws) == len({flaw.recording for flaw in flaws}) == 94
    assert {flaw.reason for flaw in flaws} == {"the file is absent"}
    assert reader.frames(*views[0], range(2, 4)).pixels.shape == (2, 480, 640, 3)
    assert views[0].recording.action_names[0] == "kLeftShoulderPitch"
    assert views[0].recording.domain == "Unitree_G1_Inspire"


def test_views_tell_what_info_and_list_say(folder: Path) -> None:
    view = found(LeRobotV3(Folder(folder)))[0][3]
    assert (view.recording.name, view.camera.name, view.recording.instruction) == (
        NAMES[1],
        "front",
        "pull",
    )
    assert view.recording.action_names == ("x", "y", "gripper")
    assert view.recording.state_names == ("a", "b")
    assert view.recording.file == "data/chunk-000/file-000.parquet"
    assert (view.recording.domain, view.camera.fps, view.recording.part) == ("so100", FPS, "")


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (["x", "y", "z"], ("x", "y", "z")),
        ([["x", "y", "z"]], ("x", "y", "z")),
        ({"motors": ["x", "y", "z"]}, ("x", "y", "z")),
        ({"left": ["x", "y"], "right": ["z"]}, ("x", "y", "z")),
        ({"x": 2, "y": 0, "z": 1}, ("y", "z", "x")),
        (None, ("action_0", "action_1", "action_2")),
        (["x", "y"], ("action_0", "action_1", "action_2")),
        (["x", "x", "x"], ("action_0", "action_1", "action_2")),
        ([1, {}, None], ("action_0", "action_1", "action_2")),
        ("xyz", ("action_0", "action_1", "action_2")),
    ],
)
def test_names_of_actions(folder: Path, said: object, names: tuple[str, ...]) -> None:
    edit_info(folder, lambda said_: said_["features"]["action"].update(names=said))
    assert found(LeRobotV3(Folder(folder)))[0][0].recording.action_names == names


@pytest.mark.parametrize(
    ("splits", "parts"),
    [
        ({"train": "0:4"}, ["", "", "", ""]),
        ({"train": "0:2", "val": "2:3", "test": "3:4"}, ["train", "train", "validation", "test"]),
        ({"train": "0:2", "test": "3:4"}, ["train", "train", "", "test"]),
        ({"train": "0:2", "test": "some"}, ["", "", "", ""]),
        ({"demo": "0:4"}, ["", "", "", ""]),
        (None, ["", "", "", ""]),
    ],
)
def test_published_parts(folder: Path, splits: object, parts: list[str]) -> None:
    edit_info(folder, lambda said: said.update(splits=splits))
    assert [view.recording.part for view in found(LeRobotV3(Folder(folder)))[0][::3]] == parts


def test_the_order_of_sides_is_as_named_and_unknown_keys_do_not_matter(folder: Path) -> None:
    def edit(said: dict[str, Any]) -> None:
        said.update(tools=[1], total_videos=None)
        said["features"][FRONT].update(
            shape=[3, 24, 32], names=["channels", "height", "width"], color=None
        )
        del said["robot_type"]

    edit_info(folder, edit)
    view = found(LeRobotV3(Folder(folder)))[0][0]
    assert (view.camera.height, view.camera.width, view.camera.channels) == (24, 32, 3)
    assert view.recording.domain == "unknown"


@pytest.mark.parametrize("where", ["info", "video_info"])
def test_depth_is_no_camera(folder: Path, where: str) -> None:
    mark = {where: {"video.is_depth_map": True}}
    edit_info(folder, lambda said: said["features"][WRIST].update(mark))
    assert [view.camera.name for view in found(LeRobotV3(Folder(folder)))[0][:2]] == [
        "front",
        "palm",
    ]


@pytest.mark.parametrize("case", [LeRobotV2Case(), LeRobotV3Case()])
def test_without_a_path_of_videos_pictures_in_the_data_are_left(
    tmp_path: Path, case: LeRobotV2Case | LeRobotV3Case
) -> None:
    truths = case.write(tmp_path)
    shutil.rmtree(tmp_path / "videos")
    edit_info(tmp_path, lambda said: said.update(video_path=None))
    reader = case.reader(Folder(tmp_path))
    views, flaws = found(reader)
    assert [view.camera.name for view in views] == ["palm"] * 4
    assert not flaws
    np.testing.assert_array_equal(
        reader.frames(*views[1], range(2, 5)).pixels, truths[5].pixels[2:5]
    )


def test_version_2_0_is_read(tmp_path: Path) -> None:
    LeRobotV2Case().write(tmp_path)
    edit_info(tmp_path, lambda said: said.update(codebase_version="v2.0"))
    assert LeRobotV2.recognises(Folder(tmp_path))
    assert not LeRobotV3.recognises(Folder(tmp_path))
    assert len(found(LeRobotV2(Folder(tmp_path)))[0]) == 12


def test_data_sets_without_actions_and_states_are_read(folder: Path) -> None:
    def edit(said: dict[str, Any]) -> None:
        del said["features"]["action"], said["features"]["observation.state"]

    edit_info(folder, edit)
    reader = LeRobotV3(Folder(folder))
    view = found(reader)[0][0]
    assert (view.recording.action_names, view.recording.state_names) == ((), ())
    assert [values.shape for values in reader.signals(*view)] == [(5, 0), (6, 0)]


@pytest.mark.parametrize(
    ("dtype", "read"),
    [(np.float64, np.float64), (np.int32, np.float64), (np.float16, np.float32)],
)
def test_numbers_keep_their_precision(folder: Path, dtype: type, read: type) -> None:
    recorded = walk(3, 5, 3, np.float64).astype(dtype)
    table = data_rows(3)
    column = pa.array(recorded.tolist(), pa.list_(pa.from_numpy_dtype(dtype)))
    table = table.set_column(table.column_names.index("action"), "action", column)
    write_groups(folder / "data/chunk-000/file-001.parquet", [table])
    reader = LeRobotV3(Folder(folder))
    actions = reader.signals(*found(reader)[0][-1]).actions
    assert actions.dtype == read
    np.testing.assert_array_equal(actions, recorded[:-1])


def test_actions_of_one_and_of_two_dimensions_are_read(folder: Path) -> None:
    table = data_rows(3)
    grid = walk(3, 5, 4).reshape(5, 2, 2)
    for key, column in {"action": grid.tolist(), "observation.state": [1.0, 2, 3, 4, 5]}.items():
        table = table.set_column(table.column_names.index(key), key, pa.array(column))
    write_groups(folder / "data/chunk-000/file-001.parquet", [table])

    def edit(said: dict[str, Any]) -> None:
        said["features"]["action"].update(shape=[2, 2])
        said["features"]["observation.state"].update(shape=[1])

    edit_info(folder, edit)
    reader = LeRobotV3(Folder(folder))
    view = found(reader)[0][-1]
    signals = reader.signals(*view)
    np.testing.assert_array_equal(signals.actions, grid.reshape(5, 4)[:-1])
    np.testing.assert_array_equal(signals.states, [[1], [2], [3], [4], [5]])
    assert view.recording.state_names == ("state_0",)


def test_times_may_be_off_by_less_than_half_a_frame(folder: Path) -> None:
    def late(table: pa.Table) -> pa.Table:
        times = (np.arange(9) / FPS + np.resize([0, 0.4 / FPS], 9)).astype(np.float32)
        return table.set_column(table.column_names.index("timestamp"), "timestamp", pa.array(times))

    edited_rows(1, late)(folder)
    reader = LeRobotV3(Folder(folder))
    view = found(reader)[0][3]
    pixels = reader.frames(*view, range(9)).pixels.astype(int)
    assert np.abs(pixels - moving_square(1, 9)).mean(axis=(1, 2, 3)).max() < 4


def test_a_list_without_ends_of_clips_is_read(folder: Path) -> None:
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    write_groups(path, [table.drop_columns([f"videos/{FRONT}/to_timestamp"])])
    assert not found(LeRobotV3(Folder(folder)))[1]


def test_a_window_reads_the_rows_of_its_episode_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = found(LeRobotV3(Folder(folder)))[0][3]
    reader = LeRobotV3(Folder(shutil.copytree(folder, folder.with_name("copy"))))
    read: list[tuple[str, int]] = []
    original = Parquet.read_group

    def noted(self: Parquet, column: str, group: int) -> pa.Array:
        read.append((column, group))
        return original(self, column, group)

    monkeypatch.setattr(Parquet, "read_group", noted)
    for _ in range(2):
        reader.signals(*view)
        reader.frames(*view, range(3, 5))
    assert read == [("action", 1), ("observation.state", 1)]


@pytest.mark.parametrize("case", [LeRobotV2Case(), LeRobotV3Case()])
def test_a_unit_names_all_files_it_depends_on(
    tmp_path: Path, case: LeRobotV2Case | LeRobotV3Case
) -> None:
    case.write(tmp_path)
    folder = Folder(tmp_path)
    unneeded = {"meta/tasks.parquet", "meta/tasks.jsonl", "meta/stats.json"}
    named = {file for unit in case.reader(folder).units() for file in unit.files}
    assert named == set(folder.files) - unneeded


def test_a_reader_refuses_the_other_version(folder: Path) -> None:
    with pytest.raises(InputError, match=r"expected codebase_version v2.*got v3.0"):
        list(LeRobotV2(Folder(folder)).units())


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", '{"features": {"a": 1}}', "\xff"])
def test_whatever_info_holds_it_is_refused(folder: Path, content: str) -> None:
    (folder / "meta/info.json").write_text(content, "latin-1")
    assert LeRobotV3.recognises(Folder(folder))
    with pytest.raises(InputError, match=r"meta/info\.json"):
        list(LeRobotV3(Folder(folder)).units())


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("e_{index:06d}.parquet", "e_000007.parquet"),
        ("{name}/{index}", "top/7"),
        ("{index!r:>1000000000}", "{index!r:>1000000000}"),
        ("{name.__class__}", "{name.__class__}"),
    ],
)
def test_templates_of_paths_are_filled_and_do_nothing_else(template: str, path: str) -> None:
    assert filled(template, index=7, name="top") == path


def test_a_parquet_file_cannot_declare_more_rows_than_bytes_can_hold(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "data/chunk-000/file-000.parquet"
    assert len(Parquet(path)) == 22
    monkeypatch.setattr("worldmodel.data.files.parquet.SMALL", 0)
    monkeypatch.setattr("worldmodel.data.files.parquet.ROWS_PER_BYTE", 0)
    with pytest.raises(InputError, match="declares 22 rows in a file of"):
        Parquet(path)


def test_rows_are_read_across_row_groups(tmp_path: Path) -> None:
    values = walk(0, 23, 3)
    table = pa.table({"a": values.tolist(), "b": np.arange(23)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=5)
    file = Parquet(tmp_path / "a.parquet")
    for rows in (range(23), range(4, 6), range(5, 10), range(22, 23), range(9, 21)):
        np.testing.assert_array_equal(file.numbers("a", rows), values[rows.start : rows.stop])
        np.testing.assert_array_equal(file.numbers("b", rows), rows)
    for rows in (range(22, 24), range(-1, 3), range(3, 3)):
        with pytest.raises(InputError, match="expected rows 0 to 22"):
            file.numbers("a", rows)


def test_pictures_are_read_across_row_groups_and_batches(tmp_path: Path) -> None:
    pictures = [{"bytes": bytes([n]), "path": None} for n in range(90)]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"a.b": pa.array(pictures, kind), "a.bc": np.arange(90)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=40)
    file = Parquet(tmp_path / "a.parquet")
    for rows in (range(90), range(17, 18), range(39, 41), range(33, 88), range(80, 90)):
        assert file.pictures("a.b", rows) == [bytes([n]) for n in rows]
    with pytest.raises(InputError, match="expected pictures in column"):
        file.pictures("a.bc", range(2))


def films(number: int, length: int) -> dict[str, np.ndarray]:
    """Pictures of two cameras."""
    return {
        camera: moving_square(number + 4 * index, length)
        for index, camera in enumerate(("front", "wrist"))
    }


def recording(number: int, length: int, **others: Any) -> Footage:
    """A recording of two cameras."""
    values: dict[str, Any] = {
        "name": f"recording/{number}",
        "films": films(number, length),
        "signals": Signals(walk(number, length - 1, 3), walk(number + 9, length, 2)),
        "action_names": ("dx", "dy", "gripper"),
        "action_units": ("m", "m", ""),
        "state_names": ("x", "y"),
        "fps": 10.0,
        "domain": "franka",
        "instruction": ("push", "pull")[number % 2],
    }
    return footage(**(values | others))


def written(folder: Path, *recordings: Footage) -> None:
    """Write a data set."""
    with LeRobotWriter(folder) as writer:
        for each in recordings:
            writer.add(each)


THREE = [recording(number, length) for number, length in enumerate((6, 9, 7))]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written(tmp_path, *THREE)
    reader = LeRobotV3(Folder(tmp_path))
    views, flaws = found(reader)
    assert not flaws
    assert [(view.recording.name, view.camera.name) for view in views] == [
        (name, camera) for name in NAMES[:3] for camera in ("front", "wrist")
    ]
    for view, each in zip(views, np.repeat(np.array(THREE, object), 2), strict=True):
        frames = film_of(each, view.camera.name)
        pixels = reader.frames(*view, range(view.camera.length)).pixels.astype(int)
        assert np.abs(pixels - frames).mean(axis=(1, 2, 3)).max() < 4
        for read, recorded in zip(reader.signals(*view), each.signals, strict=True):
            np.testing.assert_array_equal(read, recorded)
        known, own = each.recording, view.recording
        assert (own.action_names, own.action_units) == (known.action_names, known.action_units)
        assert (own.state_names, view.camera.fps, own.domain) == (known.state_names, 10, "franka")
        assert own.instruction == known.instruction


@pytest.mark.data
def test_what_is_written_has_all_that_the_library_reads(tmp_path: Path, data: Path) -> None:
    written(tmp_path, *THREE)
    real = data / "lerobot_v3_franka"
    said, known = (json.loads((path / "meta/info.json").read_text()) for path in (tmp_path, real))
    assert set(said) == set(known)
    assert set(said["features"][FRONT]["info"]) == set(
        known["features"]["observation.images.exterior"]["info"]
    )
    assert (said["total_episodes"], said["total_frames"], said["total_tasks"]) == (3, 22, 2)
    assert said["splits"] == {"train": "0:3"}
    for file in ("meta/episodes/chunk-000/file-000.parquet", "data/chunk-000/file-000.parquet"):
        own, theirs = (pq.read_schema(path / file) for path in (tmp_path, real))
        renamed = {name.replace("exterior", "front"): name for name in theirs.names}
        assert set(own.names) == set(renamed)
        for name in own.names:
            if name not in ("action", "observation.state"):
                assert own.field(name).type == theirs.field(renamed[name]).type, name
    statistics, real_ones = (
        json.loads((path / "meta/stats.json").read_text()) for path in (tmp_path, real)
    )
    assert set(statistics) == {name.replace("exterior", "front") for name in real_ones}
    for key, those in statistics.items():
        assert set(those) == set(real_ones[key.replace("front", "exterior")])
    assert np.shape(statistics[FRONT]["q99"]) == (3, 1, 1)


def test_rows_hold_times_counters_and_the_last_action_twice(tmp_path: Path) -> None:
    written(tmp_path, *THREE)
    rows = pq.read_table(tmp_path / "data/chunk-000/file-001.parquet").to_pydict()
    assert rows["timestamp"] == pytest.approx(np.arange(9) / 10)
    assert rows["frame_index"] == list(range(9))
    assert rows["episode_index"] == [1] * 9
    assert rows["index"] == list(range(6, 15))
    assert rows["task_index"] == [1] * 9
    assert rows["action"][8] == rows["action"][7] == pytest.approx(THREE[1].signals.actions[7])


def test_tasks_are_the_index_of_a_table_of_pandas(tmp_path: Path) -> None:
    written(tmp_path, *THREE)
    table = pq.read_table(tmp_path / "meta/tasks.parquet")
    assert table.to_pydict() == {"task_index": [0, 1], "task": ["push", "pull"]}
    described = json.loads(table.schema.metadata[b"pandas"])
    assert described["index_columns"] == ["task"]


def test_an_interrupted_run_is_gone_on_with(tmp_path: Path) -> None:
    def broken(camera: Camera) -> Iterator[np.ndarray]:
        if camera.name == "front":
            yield from THREE[1].frames(camera)
            return
        yield np.zeros((24, 32, 3), np.uint8)
        raise KeyboardInterrupt

    bad = replace(THREE[1], frames=broken)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a", THREE[0], bad)
    first = tmp_path / "a/videos" / WRIST / "chunk-000/file-000.mp4"
    before = first.stat().st_mtime_ns
    written(tmp_path / "a", *THREE)
    assert first.stat().st_mtime_ns == before
    written(tmp_path / "b", *THREE)
    files = Folder(tmp_path / "b").files
    assert list(Folder(tmp_path / "a").files) == list(files)
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert not list(tmp_path.rglob("*.unfinished"))
    written(tmp_path / "b", *THREE)
    assert not found(LeRobotV3(Folder(tmp_path / "b")))[1]


@pytest.mark.parametrize(
    ("recordings", "reason"),
    [
        ([recording(5, 6)], "expected recording recording/5 of 6 frames"),
        ([recording(0, 7)], "the folder holds recording/0"),
        ([recording(0, 6, fps=9.0)], "expected the same fps"),
        ([recording(0, 6, action_names=("a", "b", "c"))], "expected the same features"),
        (THREE[:2], "expected 2 recordings in the folder, it holds more"),
    ],
)
def test_only_the_same_run_is_gone_on_with(
    tmp_path: Path, recordings: list[Footage], reason: str
) -> None:
    written(tmp_path, *THREE)
    with pytest.raises(InputError, match=reason):
        written(tmp_path, *recordings)


def test_another_data_set_is_not_written_over(folder: Path) -> None:
    with pytest.raises(InputError, match="expected the same features"):
        written(folder, recording(0, 6, fps=float(FPS)))
    assert json.loads((folder / "meta/info.json").read_text()) == info()


def test_recordings_must_fit_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recording/1: expected the same features"):
        written(tmp_path, THREE[0], recording(1, 9, films={"front": films(1, 9)["front"]}))


def test_cameras_may_come_in_another_order(tmp_path: Path) -> None:
    turned = recording(1, 9, films=dict(reversed(films(1, 9).items())))
    written(tmp_path / "a", THREE[0], turned)
    written(tmp_path / "b", THREE[0], THREE[1])
    file = f"videos/{FRONT}/chunk-000/file-001.mp4"
    assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_films_must_be_as_long_as_signals(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected 6 frames, got 7"):
        written(tmp_path, recording(0, 6, films=films(0, 7)))


def test_names_of_cameras_become_those_of_files(tmp_path: Path) -> None:
    film = films(0, 6)["front"]
    written(tmp_path / "a", recording(0, 6, films={"": film}))
    written(tmp_path / "b", recording(0, 6, films={"/camera/left": film}))
    cameras = [found(LeRobotV3(Folder(tmp_path / part)))[0][0].camera.name for part in "ab"]
    assert cameras == ["image", "_camera_left"]
    with pytest.raises(InputError, match="cameras of different names"):
        written(tmp_path / "c", recording(0, 6, films={"a/b": film, "a_b": film}))


def test_single_numbers_and_none_at_all_are_written(tmp_path: Path) -> None:
    signals = Signals(walk(0, 5, 1, np.float64), np.zeros((6, 0), np.float32))
    one = recording(
        0,
        6,
        signals=signals,
        action_names=("grip",),
        action_units=("",),
        state_names=(),
        fps=0.0,
        instruction="",
    )
    written(tmp_path, one)
    schema = pq.read_schema(tmp_path / "data/chunk-000/file-000.parquet")
    assert schema.field("action").type == pa.float64()
    reader = LeRobotV3(Folder(tmp_path))
    view = found(reader)[0][0]
    assert (
        view.recording.action_names,
        view.recording.state_names,
        view.recording.instruction,
    ) == (("grip",), (), "")
    np.testing.assert_array_equal(reader.signals(*view).actions, signals.actions)


@pytest.mark.parametrize(
    ("fps", "kept"), [(29.97, 29.97), (1 / 300, 1 / 300), (30.0, 30), (9.87654321, 800 / 81)]
)
def test_any_frame_rate_is_kept_as_exactly_as_in_the_video(
    tmp_path: Path, fps: float, kept: float
) -> None:
    written(tmp_path, recording(0, 23, fps=fps))
    views, flaws = found(LeRobotV3(Folder(tmp_path)))
    assert not flaws
    assert views[0].camera.fps == pytest.approx(kept, rel=1e-12)


def test_a_frame_rate_that_no_video_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least a frame in 1001 seconds"):
        written(tmp_path, recording(0, 6, fps=1 / 3600))


def test_several_domains_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path, THREE[0], recording(1, 9, domain="sawyer"))
    assert "one robot_type for all of franka, sawyer" in caplog.text
    assert json.loads((tmp_path / "meta/info.json").read_text())["robot_type"] == "franka, sawyer"


def test_nothing_is_written_of_no_recordings(tmp_path: Path) -> None:
    written(tmp_path)
    assert not list(tmp_path.iterdir())


def test_statistics_of_pictures_are_those_of_their_pixels() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 24, 32, 3), np.uint8)
    statistics = PictureStatistics()
    assert len(list(statistics.watched(frames))) == len(statistics) == 5
    pixels = frames.reshape(-1, 3) / 255
    result = {key: np.squeeze(value) for key, value in statistics.result().items()}
    assert result.pop("count") == 5
    expected = {
        "min": pixels.min(axis=0),
        "max": pixels.max(axis=0),
        "mean": pixels.mean(axis=0),
        "std": pixels.std(axis=0),
        **{
            name: np.quantile(pixels, share, axis=0, method="inverted_cdf")
            for name, share in (("q01", 0.01), ("q10", 0.1), ("q50", 0.5), ("q99", 0.99))
        },
    }
    for name, values in expected.items():
        np.testing.assert_allclose(result[name], values, err_msg=name)


def test_statistics_of_all_episodes_are_those_of_all_numbers() -> None:
    parts = [walk(n, length, 3, np.float64) for n, length in enumerate((4, 9, 7))]
    together = in_all([of_numbers(part) for part in parts])
    whole = of_numbers(np.concatenate(parts))
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(together[name], whole[name], err_msg=name)
    alone = in_all([of_numbers(parts[0])])
    np.testing.assert_allclose(alone["q10"], np.quantile(parts[0], 0.1, axis=0))


def found(reader: Reader) -> tuple[list[View], list[Flaw]]:
    """What a scan finds."""
    findings = found_in(reader)
    views = [finding for finding in findings if isinstance(finding, View)]
    return views, [finding for finding in findings if isinstance(finding, Flaw)]


def edit_info(folder: Path, edit: Any) -> None:
    """Change `info.json`."""
    path = folder / "meta/info.json"
    said = json.loads(path.read_text())
    edit(said)
    write_json(path, said)
