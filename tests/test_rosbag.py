from __future__ import annotations

import sqlite3
import struct
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from formats.case import moving_square, walk
from formats.rosbag import (
    MS,
    START,
    RosBagCase,
    Sent,
    array,
    compressed,
    film,
    frame_times,
    header,
    joints,
    made,
    raw,
    trajectory,
    twist,
    write_bag,
)
from reading import found_in, frames_at
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from writing import encode_png

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.formats.robots.rosbag.reader import RosBag
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError

FRAMES = moving_square(0, 5)
IMAGE, JPEG = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


def scan(folder: Path | str) -> tuple[RosBag, list[View], list[Flaw]]:
    reader = RosBag(Folder(folder))
    found = found_in(reader)
    views = [finding for finding in found if isinstance(finding, View)]
    return reader, views, [finding for finding in found if isinstance(finding, Flaw)]


def only(folder: Path | str) -> tuple[RosBag, View]:
    reader, views, flaws = scan(folder)
    assert not flaws
    (view,) = views
    return reader, view


def at(milliseconds: int) -> int:
    return START + milliseconds * MS


def pictures(topic: str, *times: int) -> list[Sent]:
    """Pictures taken at some milliseconds."""
    return [
        Sent(topic, IMAGE, at(time), raw(at(time), frame, "rgb8"))
        for time, frame in zip(times, FRAMES, strict=False)
    ]


def scalar(topic: str, time: int, value: float) -> Sent:
    return Sent(topic, "std_msgs/msg/Float64", at(time), made("std_msgs/msg/Float64", value))


def test_the_command_in_force_at_a_frame_takes_it_to_the_next(tmp_path: Path) -> None:
    sent = pictures("/camera", 0, 100, 200, 300, 400)
    sent += [
        scalar("/cmd", time, value)
        for time, value in [(50, 1), (100, 2), (101, 3), (350, 4), (450, 5)]
    ]
    write_bag(tmp_path / "a", sent)
    reader, view = only(tmp_path)
    assert view.camera.length == 4, "no command is in force at the first frame"
    assert reader.signals(*view).actions.tolist() == [[2], [3], [3]]
    np.testing.assert_array_equal(reader.frames(*view, range(4)).pixels, FRAMES[1:])
    assert view.camera.fps == pytest.approx(10)
    assert view.recording.start == pytest.approx(at(100) / 1e9, abs=1e-6)


def test_headers_are_believed_and_not_the_log(tmp_path: Path) -> None:
    sent = [each._replace(logged=each.logged + 900 * MS) for each in pictures("/c", 0, 100, 200)]
    sent += [
        Sent(
            "/target/joints",
            "sensor_msgs/msg/JointState",
            at(time) + 2000 * MS,
            joints(at(time), "a", np.array([value])),
        )
        for time, value in [(-10, 1), (90, 2), (210, 3)]
    ]
    write_bag(tmp_path / "a", sent)
    reader, view = only(tmp_path)
    assert reader.signals(*view).actions.tolist() == [[1], [2]]


def test_a_header_of_time_zero_counts_as_none(tmp_path: Path) -> None:
    write_bag(
        tmp_path / "a",
        [each._replace(content=raw(0, FRAMES[0], "rgb8")) for each in pictures("/c", 0, 100)],
    )
    assert only(tmp_path)[1].camera.fps == pytest.approx(10)


def test_clocks_of_simulations_tell_no_date(tmp_path: Path) -> None:
    sent = [
        each._replace(content=raw((50 * t + 1) * MS, FRAMES[t], "rgb8"))
        for t, each in enumerate(pictures("/c", 0, 100, 200))
    ]
    write_bag(tmp_path / "a", sent)
    _, view = only(tmp_path)
    assert np.isnan(view.recording.start)
    assert view.camera.fps == pytest.approx(20)


def test_pictures_that_were_logged_at_the_same_time(tmp_path: Path) -> None:
    sent = [
        each._replace(logged=at(k // 3)) for k, each in enumerate(pictures("/c", 0, 1, 2, 3, 4))
    ]
    write_bag(tmp_path / "a", sent)
    reader, view = only(tmp_path)
    for steps in (range(5), range(1, 2), range(2, 4)):
        pixels = reader.frames(*view, steps).pixels
        np.testing.assert_array_equal(pixels, FRAMES[steps.start : steps.stop])


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    alpha = np.full((*FRAMES.shape[:3], 1), 7, np.uint8)
    blue, green, red = (FRAMES[..., c : c + 1] for c in (2, 1, 0))
    stored = {
        "rgb8": [red, green, blue],
        "bgr8": [blue, green, red],
        "rgba8": [red, green, blue, alpha],
        "bgra8": [blue, green, red, alpha],
        "mono8": [green],
    }[encoding]
    bytes_ = np.concatenate(stored, axis=3)
    sent = [Sent("/c", IMAGE, at(t), raw(at(t), bytes_[t], encoding, padding=3)) for t in range(5)]
    write_bag(tmp_path / "a", sent)
    reader, view = only(tmp_path)
    np.testing.assert_array_equal(
        reader.frames(*view, range(5)).pixels, green if encoding == "mono8" else FRAMES
    )


@pytest.mark.parametrize("big", [False, True])
def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path, big: bool) -> None:
    levels = np.linspace(0, 65535, 24 * 32).reshape(24, 32, 1).astype(">u2" if big else "<u2")
    message = raw(0, levels.view(np.uint8), "mono16")
    message.is_bigendian = int(big)
    write_bag(tmp_path / "a", [Sent("/c", IMAGE, at(t), message) for t in range(2)])
    reader, view = only(tmp_path)
    pixels = reader.frames(*view, range(1)).pixels[0]
    assert np.abs(pixels - levels / 65535 * 255).max() <= 0.5 + 1e-9
    assert view.camera.channels == 1


def test_compressed_pictures_are_png_or_jpeg_of_eight_bits(tmp_path: Path) -> None:
    gray = FRAMES[..., :1]
    kinds = {
        "/png": ("bgr8; png compressed bgr8", lambda t: encode_png(FRAMES[t])),
        "/gray": ("mono8; png compressed ", lambda t: encode_png(gray[t])),
        "/plain": ("jpeg", lambda t: encode_jpeg(FRAMES[t])),
        "/deep": ("mono16; png compressed ", lambda t: encode_png(gray[t])),
        "/film": ("h264", lambda t: b"film"),
        "/depth/compressed": ("16UC1; png compressed ", lambda t: encode_png(gray[t])),
        "/compressedDepth": ("32FC1; compressedDepth", lambda t: b"depth"),
    }
    sent = [
        Sent(topic, JPEG, at(t), compressed(at(t), data(t), described))
        for topic, (described, data) in kinds.items()
        for t in range(5)
    ]
    write_bag(tmp_path / "a", sent)
    reader, views, flaws = scan(tmp_path)
    found = {view.camera.name: reader.frames(*view, range(5)).pixels for view in views}
    np.testing.assert_array_equal(found["/png"], FRAMES)
    np.testing.assert_array_equal(found["/gray"], gray)
    assert np.abs(found["/plain"].astype(int) - FRAMES).mean() < 4
    assert list(found) == ["/gray", "/plain", "/png"]
    assert {(flaw.recording, flaw.camera): flaw.reason.split("got")[1] for flaw in flaws} == {
        ("a", "/deep"): " 'mono16; png compressed '",
        ("a", "/film"): " 'h264'",
    }


def test_a_broken_picture_is_named_and_costs_no_other(tmp_path: Path) -> None:
    sent = [
        Sent("/c", JPEG, at(t), compressed(at(t), encode_jpeg(FRAMES[t]), "jpeg")) for t in range(5)
    ]
    sent[3].content.data = sent[3].content.data[:300]
    write_bag(tmp_path / "a", sent)
    reader, view = only(tmp_path)
    reader.frames(*view, range(3))
    with pytest.raises(InputError, match=r"^a/metadata.yaml: /c: frame 3: .*no readable picture"):
        frames_at(reader, view, range(2, 5))


def test_a_camera_that_cannot_be_used_costs_no_other(tmp_path: Path) -> None:
    sent = [*pictures("/good", 0, 100, 200), *pictures("/back", 0, 200, 100)]
    sent[-1] = sent[-1]._replace(logged=at(300))
    sent += pictures("/single", 0)
    write_bag(tmp_path / "a", sent)
    _, views, flaws = scan(tmp_path)
    assert [view.camera.name for view in views] == ["/good"]
    assert [(flaw.file, flaw.recording, flaw.camera) for flaw in flaws] == [
        ("a/metadata.yaml", "a", "/back"),
        ("a/metadata.yaml", "a", "/single"),
    ]
    assert flaws[0].reason == "the times of pictures go backwards"
    assert "at least 2 frames" in flaws[1].reason


def velocities(names: list[str], values: np.ndarray) -> Any:
    message = joints(0, names, np.zeros(0))
    message.velocity = values
    return message


def pose(values: np.ndarray) -> Any:
    point = made("geometry_msgs/msg/Point", *map(float, values[:3]))
    return made(
        "geometry_msgs/msg/Pose",
        point,
        made("geometry_msgs/msg/Quaternion", *map(float, values[3:])),
    )


VALUES = walk(0, 1, 7, np.float64)[0]
AXES = ("linear_x", "linear_y", "linear_z", "angular_x", "angular_y", "angular_z")
POSE, POSE_UNITS = ("x", "y", "z", "qx", "qy", "qz", "qw"), ("m", "m", "m", "", "", "", "")
TWIST_UNITS = ("m/s",) * 3 + ("rad/s",) * 3


@pytest.mark.parametrize(
    ("kind", "content", "names", "units", "values"),
    [
        ("geometry_msgs/msg/Twist", twist(VALUES[:6].tolist()), AXES, TWIST_UNITS, VALUES[:6]),
        (
            "geometry_msgs/msg/TwistStamped",
            made("geometry_msgs/msg/TwistStamped", header(0), twist(VALUES[:6].tolist())),
            AXES,
            TWIST_UNITS,
            VALUES[:6],
        ),
        ("geometry_msgs/msg/Pose", pose(VALUES), POSE, POSE_UNITS, VALUES),
        (
            "geometry_msgs/msg/PoseStamped",
            made("geometry_msgs/msg/PoseStamped", header(0), pose(VALUES)),
            POSE,
            POSE_UNITS,
            VALUES,
        ),
        (
            "sensor_msgs/msg/JointState",
            joints(0, "ab", VALUES[:2]),
            ("a", "b"),
            ("", ""),
            VALUES[:2],
        ),
        ("sensor_msgs/msg/JointState", joints(0, "", VALUES[:1]), ("joint_0",), ("",), VALUES[:1]),
        (
            "sensor_msgs/msg/JointState",
            velocities(["a"], VALUES[:1]),
            ("a_velocity",),
            ("",),
            VALUES[:1],
        ),
        (
            "trajectory_msgs/msg/JointTrajectory",
            trajectory(0, "ab", VALUES[None, :2]),
            ("a", "b"),
            ("", ""),
            VALUES[:2],
        ),
        (
            "std_msgs/msg/Float64MultiArray",
            array(VALUES[:2]),
            ("action_0", "action_1"),
            ("", ""),
            VALUES[:2],
        ),
        (
            "std_msgs/msg/Float32MultiArray",
            array(VALUES[:1].astype(np.float32)),
            ("action_0",),
            ("",),
            VALUES[:1].astype(np.float32),
        ),
        ("std_msgs/msg/Float32", made("std_msgs/msg/Float32", 1.5), ("action_0",), ("",), [1.5]),
    ],
)
def test_kinds_of_commands(
    tmp_path: Path,
    kind: str,
    content: Any,
    names: tuple[str, ...],
    units: tuple[str, ...],
    values: Any,
) -> None:
    sent = [*pictures("/c", 0, 100), Sent("/robot/Command", kind, at(-10), content)]
    write_bag(tmp_path / "a", sent)
    reader, view = only(tmp_path)
    assert view.recording.action_names == names
    assert view.recording.action_units == units
    actions = reader.signals(*view).actions
    np.testing.assert_array_equal(actions, np.array(values)[None])
    if kind.endswith("MultiArray"):
        assert actions.dtype == np.asarray(values).dtype


def test_a_trajectory_of_several_points_is_refused(tmp_path: Path) -> None:
    content = trajectory(0, "ab", np.zeros((2, 2)))
    kind = "trajectory_msgs/msg/JointTrajectory"
    write_bag(tmp_path / "a", [*pictures("/c", 0, 1), Sent("/command", kind, at(0), content)])
    with pytest.raises(InputError, match="trajectories of one point, got 2"):
        scan(tmp_path)


def test_commands_are_found_by_name_and_states_by_kind(tmp_path: Path) -> None:
    order = ["/z_cmd", "/a_command", "/an_action", "/a_target", "/else"]
    kind = "nav_msgs/msg/Odometry"
    covered = made("geometry_msgs/msg/PoseWithCovariance", pose(VALUES), np.zeros(36))
    moving = made("geometry_msgs/msg/TwistWithCovariance", twist(VALUES[:6].tolist()), np.zeros(36))
    odometry = Sent("/odom", kind, at(-1), made(kind, header(0), "", covered, moving))
    state = Sent("/states", "sensor_msgs/msg/JointState", at(-1), joints(0, "q", np.array([0.5])))
    for start, expected in enumerate([*map(float, range(4)), None]):
        sent = [*pictures("/c", 0, 100), odometry]
        sent += [scalar(topic, -10, k) for k, topic in enumerate(order) if k >= start]
        sent += [state] if start else []
        write_bag(tmp_path / str(start), sent)
        reader, view = only(tmp_path / str(start))
        actions, states = reader.signals(*view)
        assert actions.tolist() == ([[]] if expected is None else [[expected]])
        if start:
            assert (view.recording.state_names, states.tolist()) == (("q",), [[0.5], [0.5]])
        else:
            assert view.recording.state_names == POSE + AXES
            np.testing.assert_array_equal(states, [[*VALUES, *VALUES[:6]]] * 2)


def test_commands_that_are_sent_count_before_those_that_are_not(tmp_path: Path) -> None:
    sent = [*pictures("/c", 0, 100), scalar("/a_cmd", 0, 1), scalar("/z_target", -5, 2)]
    write_bag(tmp_path / "a", sent, StoragePlugin.SQLITE3)
    connection = sqlite3.connect(tmp_path / "a/a.db3")
    connection.execute(
        "DELETE FROM messages WHERE topic_id = (SELECT id FROM topics WHERE name = '/a_cmd')"
    )
    connection.commit()
    connection.close()
    (tmp_path / "a/metadata.yaml").unlink()
    reader, view = only(tmp_path)
    assert reader.signals(*view).actions.tolist() == [[2]]


def test_a_bag_without_pictures_tells_its_topics(tmp_path: Path) -> None:
    write_bag(tmp_path / "a", [scalar("/cmd", 0, 1)])
    with pytest.raises(InputError, match=r"available: /cmd \(std_msgs/msg/Float64\)"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("plugin", "mode"),
    [
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
    ],
)
def test_compressed_bags(tmp_path: Path, plugin: StoragePlugin, mode: CompressionMode) -> None:
    write_bag(tmp_path / "a", pictures("/c", 0, 100, 200), plugin, mode)
    reader, view = only(tmp_path)
    np.testing.assert_array_equal(reader.frames(*view, range(1, 3)).pixels, FRAMES[1:3])


def test_a_bag_behind_a_url_is_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDMODEL_CACHE", str(tmp_path / "cache"))
    write_bag(tmp_path / "a", pictures("/c", 0, 100, 200))
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "a"), "/rosbags/a", recursive=True)
    reader, view = only("memory://rosbags")
    assert view.recording.name == "a"
    np.testing.assert_array_equal(reader.frames(*view, range(3)).pixels, FRAMES[:3])


def test_a_bag_in_several_files(tmp_path: Path) -> None:
    """As `ros2 bag record --max-bag-duration` leaves it."""
    sent = pictures("/c", 0, 100, 200, 300, 400)
    write_bag(tmp_path / "a", sent, StoragePlugin.SQLITE3)
    write_bag(tmp_path / "b", sent[3:], StoragePlugin.SQLITE3)
    metadata = (tmp_path / "a/metadata.yaml").read_text()
    connection = sqlite3.connect(tmp_path / "a/a.db3")
    connection.execute("DELETE FROM messages WHERE id > 3")
    connection.commit()
    connection.close()
    (tmp_path / "b/b.db3").rename(tmp_path / "a/b.db3")
    (tmp_path / "b/metadata.yaml").unlink()
    (tmp_path / "a/metadata.yaml").write_text(metadata.replace("- a.db3\n", "- a.db3\n  - b.db3\n"))
    reader, view = only(tmp_path)
    np.testing.assert_array_equal(reader.frames(*view, range(5)).pixels, FRAMES)
    np.testing.assert_array_equal(reader.frames(*view, range(2, 4)).pixels, FRAMES[2:4])
    (tmp_path / "a/b.db3").unlink()
    with pytest.raises(InputError, match="missing"):
        scan(tmp_path)


def test_names_domains_and_parts(tmp_path: Path) -> None:
    root = tmp_path / "set #1 100%?"
    for name in ("kitchen/one", "test/two"):
        (root / name).parent.mkdir(parents=True)
        plain = tmp_path / Path(name).name
        write_bag(plain, pictures("/c", 0, 100), StoragePlugin.SQLITE3)
        plain.rename(root / name)
    (root / "kitchen/one/metadata.yaml").rename(root / "kitchen/one/metadata.yaml.old")
    reader, views, _ = scan(root)
    assert [
        (view.recording.name, view.recording.domain, view.recording.part) for view in views
    ] == [
        ("kitchen/one/one.db3", "one", ""),
        ("test/two", root.name, "test"),
    ]
    reader.frames(*views[0], range(2))
    _, view = only(root / "test/two")
    assert (view.recording.name, view.recording.domain) == ("two", "two")


def cdr_string(text: str) -> bytes:
    return struct.pack("<I", len(text) + 1) + text.encode() + b"\0"


def cdr_image(seconds: int, pixels: np.ndarray) -> bytes:
    """`sensor_msgs/msg/Image` in CDR (OMG), little endian."""
    data = struct.pack("<iI", seconds, 0) + cdr_string("map")
    data += struct.pack("<II", *pixels.shape[:2]) + cdr_string("rgb8") + b"\0"
    data += b"\0" * (-len(data) % 4) + struct.pack("<II", pixels.shape[1] * 3, pixels.size)
    return b"\0\1\0\0" + data + pixels.tobytes()


def test_a_bag_as_ros_2_humble_writes_it(tmp_path: Path) -> None:
    """Tables and metadata of rosbag2 0.15, messages by hand; no definitions inside."""
    (tmp_path / "rosbag2").mkdir()
    connection = sqlite3.connect(tmp_path / "rosbag2" / "rosbag2_0.db3")
    connection.executescript(
        """
        CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
        CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL,
            metadata TEXT NOT NULL);
        CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
            serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
        CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
            timestamp INTEGER NOT NULL, data BLOB NOT NULL);
        CREATE INDEX timestamp_idx ON messages (timestamp ASC);
        INSERT INTO schema VALUES (3, 'humble');
        INSERT INTO topics VALUES (1, '/image', 'sensor_msgs/msg/Image', 'cdr', '');
        INSERT INTO topics VALUES (2, '/cmd_vel', 'geometry_msgs/msg/Twist', 'cdr', '');
        INSERT INTO topics VALUES (3, '/own', 'own_msgs/msg/Own', 'cdr', '');
        INSERT INTO messages VALUES (90, 3, 5, x'00010000');
        """
    )
    rows = [(1, 10**9 * (t + 1), cdr_image(t + 1, FRAMES[t])) for t in range(3)]
    rows.append((2, 10**9, b"\0\1\0\0" + struct.pack("<6d", 0.5, 0, 0, 0, 0, -1)))
    connection.executemany(
        "INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", rows
    )
    connection.commit()
    connection.close()
    topics = "".join(
        f"""
    - topic_metadata:
        name: {name}
        type: {kind}
        serialization_format: cdr
        offered_qos_profiles: ""
      message_count: {count}"""
        for name, kind, count in [
            ("/image", "sensor_msgs/msg/Image", 3),
            ("/cmd_vel", "geometry_msgs/msg/Twist", 1),
            ("/own", "own_msgs/msg/Own", 1),
        ]
    )
    (tmp_path / "rosbag2" / "metadata.yaml").write_text(
        f"""rosbag2_bagfile_information:
  version: 5
  storage_identifier: sqlite3
  duration:
    nanoseconds: 2999999995
  starting_time:
    nanoseconds_since_epoch: 5
  message_count: 5
  topics_with_message_count:{topics}
  compression_format: ""
  compression_mode: ""
  relative_file_paths:
    - rosbag2_0.db3
  files:
    - path: rosbag2_0.db3
      starting_time:
        nanoseconds_since_epoch: 5
      duration:
        nanoseconds: 2999999995
      message_count: 5
"""
    )
    reader, view = only(tmp_path)
    assert (view.camera.length, view.camera.fps, view.recording.action_names) == (3, 1, AXES)
    np.testing.assert_array_equal(reader.frames(*view, range(3)).pixels, FRAMES[:3])
    assert reader.signals(*view).actions.tolist() == [[0.5, 0, 0, 0, 0, -1]] * 2


def test_definitions_in_a_bag_are_not_run(tmp_path: Path) -> None:
    write_bag(tmp_path / "a", pictures("/c", 0, 100), StoragePlugin.SQLITE3)
    connection = sqlite3.connect(tmp_path / "a/a.db3")
    changed = connection.execute(
        "UPDATE message_definitions SET encoded_message_definition = 'string x = )\"; print(1'"
    )
    assert changed.rowcount == 1
    connection.commit()
    connection.close()
    before = sys.modules.get("rosbags.usertypes")
    reader, view = only(tmp_path)
    np.testing.assert_array_equal(reader.frames(*view, range(2)).pixels, FRAMES[:2])
    assert sys.modules.get("rosbags.usertypes") is before


def test_without_the_library_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RosBagCase().write(tmp_path)
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)
    assert RosBag.recognises(Folder(tmp_path))
    with pytest.raises(InputError, match=r"pip install 'worldmodel\[logs\]'"):
        scan(tmp_path)


def test_only_the_pictures_that_are_wanted_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bag(tmp_path / "a", film("/c", moving_square(0, 24), "rgb8", delay=5000))
    reader, view = only(tmp_path)
    from rosbags.typesys.store import Typestore

    read = []
    real = Typestore.deserialize_cdr

    def counted(self: Typestore, data: bytes, kind: str) -> object:
        read.append(kind)
        return real(self, data, kind)

    monkeypatch.setattr(Typestore, "deserialize_cdr", counted)
    pixels = reader.frames(*view, range(18, 21)).pixels
    np.testing.assert_array_equal(pixels, moving_square(0, 24)[18:21])
    assert len(read) == 3


def test_times_take_few_bytes(tmp_path: Path) -> None:
    tiny = np.zeros((2, 2, 1), np.uint8)
    stamps = frame_times(2000)
    write_bag(tmp_path / "a", [Sent("/c", IMAGE, s, raw(s, tiny, "mono8")) for s in stamps])
    _, view = only(tmp_path)
    assert view.camera.length == 2000
    assert sum(map(len, view.camera.place.values())) < 4 * 2000
