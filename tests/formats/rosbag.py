"""ROS 2 bags for the contract, written by the library rosbags."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, final

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.formats.robots.rosbag.reader import RosBag

MS = 10**6
START = 1_700_000_000_000 * MS
STORE = get_typestore(Stores.ROS2_HUMBLE)


class Sent(NamedTuple):
    """A message, when it was logged, and where."""

    topic: str
    kind: str
    logged: int
    content: Any


def made(kind: str, *fields: Any) -> Any:
    """A message such as `made("geometry_msgs/msg/Vector3", 1.0, 2.0, 3.0)`."""
    return STORE.types[kind](*fields)


def header(stamp: int) -> Any:
    """A header of that time, in nanoseconds."""
    time = made("builtin_interfaces/msg/Time", stamp // 10**9, stamp % 10**9)
    return made("std_msgs/msg/Header", time, "")


def raw(stamp: int, frame: np.ndarray, encoding: str, padding: int = 0) -> Any:
    """A picture, (H, W, bytes per pixel), with some bytes after each row."""
    rows = frame.reshape(len(frame), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    size = *frame.shape[:2], encoding, 0, rows.shape[1], rows.ravel()
    return made("sensor_msgs/msg/Image", header(stamp), *size)


def compressed(stamp: int, data: bytes, described: str) -> Any:
    """A compressed picture."""
    values = np.frombuffer(data, np.uint8)
    return made("sensor_msgs/msg/CompressedImage", header(stamp), described, values)


def twist(values: Sequence[float]) -> Any:
    """A velocity."""
    vectors = (
        made("geometry_msgs/msg/Vector3", *map(float, part)) for part in (values[:3], values[3:])
    )
    return made("geometry_msgs/msg/Twist", *vectors)


def joints(stamp: int, names: Sequence[str], positions: np.ndarray) -> Any:
    """Positions of joints."""
    values = np.asarray(positions, np.float64), np.zeros(0), np.zeros(0)
    return made("sensor_msgs/msg/JointState", header(stamp), list(names), *values)


def trajectory(stamp: int, names: Sequence[str], points: np.ndarray) -> Any:
    """Points of a trajectory."""
    moment = made("builtin_interfaces/msg/Duration", 0, 0)
    rows = [
        made("trajectory_msgs/msg/JointTrajectoryPoint", row, *[np.zeros(0)] * 3, moment)
        for row in points.astype(np.float64)
    ]
    return made("trajectory_msgs/msg/JointTrajectory", header(stamp), list(names), rows)


def array(values: np.ndarray) -> Any:
    """Numbers without a header."""
    kind = (
        "std_msgs/msg/Float32MultiArray"
        if values.dtype == np.float32
        else "std_msgs/msg/Float64MultiArray"
    )
    return made(kind, made("std_msgs/msg/MultiArrayLayout", [], 0), values)


def write_bag(
    folder: Path,
    sent: Sequence[Sent],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> None:
    """Write messages in order of logging."""
    writer = Writer(folder, version=9, storage_plugin=plugin)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=STORE)
            for topic, kind in {each.topic: each.kind for each in sent}.items()
        }
        for each in sorted(sent, key=lambda each: each.logged):
            data = STORE.serialize_cdr(each.content, each.kind)
            writer.write(connections[each.topic], each.logged, data)


def frame_times(length: int) -> list[int]:
    """When frames were taken: every 100 ms, a little late or early."""
    return [START + 100 * MS * t + (7 * t % 5) * MS for t in range(length)]


def film(topic: str, frames: np.ndarray, encoding: str, delay: int = 30) -> list[Sent]:
    """Frames that are logged some milliseconds after they were taken."""
    order = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "mono8": [0]}
    return [
        Sent(
            topic,
            "sensor_msgs/msg/Image",
            stamp + (delay + t % 3) * MS,
            raw(stamp, frame[..., order[encoding]], encoding, padding=4),
        )
        for t, (stamp, frame) in enumerate(zip(frame_times(len(frames)), frames, strict=True))
    ]


def in_force(times: Sequence[int], values: np.ndarray, stamps: Sequence[int]) -> np.ndarray:
    """The last value at or before each time."""
    return np.stack(
        [[v for own, v in zip(times, values, strict=True) if own <= t][-1] for t in stamps]
    )


@final
class RosBagCase(FormatCase):
    """A bag in sqlite3, one in MCAP, and a file of MCAP alone."""

    reader = RosBag
    tolerance = 4.0

    def write(self, folder: Path) -> list[Truth]:
        """Write three bags."""
        truths, files = _written()
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the bag in sqlite3."""
        lost = ("hall/a",)

        def edit(topic: str, change: Callable[[list[Any]], object], reason: str) -> Damage:
            return Damage(_edited(topic, change), reason, lost)

        def deleted(topic: str, number: str) -> Callable[[Path], None]:
            return _sql(f"DELETE FROM messages WHERE topic_id = {topic} AND id {number}")

        return {
            "nan": edit("/cmd_vel", lambda m: setattr(m[1].linear, "x", np.nan), "NaN or inf"),
            "infinite": edit(
                "/joint_states",
                lambda m: setattr(m[1], "position", np.full(2, np.inf)),
                "NaN or inf",
            ),
            "backwards": edit("/camera", lambda m: _restamp(m, 3, 1), "pictures go backwards"),
            "twice": edit("/camera", lambda m: _restamp(m, 3, 2), "have the same time"),
            "joints backwards": edit(
                "/joint_states", lambda m: _restamp(m, 5, 1), "the times of states go backwards"
            ),
            "other joints": edit(
                "/joint_states",
                lambda m: setattr(m[2], "name", ["a", "x"]),
                "expected states of a, b",
            ),
            "few positions": edit(
                "/joint_states", lambda m: setattr(m[0], "position", np.ones(1)), "2 names, got 1"
            ),
            "no positions": edit(
                "/joint_states",
                lambda m: [
                    setattr(each, "name", []) or setattr(each, "position", np.ones(0)) for each in m
                ],
                "0 names, got 0",
            ),
            "bayer": edit(
                "/camera",
                lambda m: [setattr(each, "encoding", "bayer_rggb8") for each in m],
                "got 'bayer_rggb8'",
            ),
            "other size": edit(
                "/camera", lambda m: _shrink(m[4]), "pictures of one size, got 24x32x3 and 23x32x3"
            ),
            "few bytes": edit(
                "/camera", lambda m: setattr(m[4], "data", m[4].data[:-1]), "bytes as they declare"
            ),
            "huge": edit(
                "/camera", lambda m: setattr(m[0], "height", 2**32 - 1), "bytes as they declare"
            ),
            "small step": edit("/camera", lambda m: setattr(m[0], "step", 1), "as they declare"),
            "lost pictures": Damage(deleted("1", "> 5"), "declares 8 pictures, holds", lost),
            "lost commands": Damage(deleted("2", "% 2 = 0"), "declares 9 commands, holds", lost),
            "no command": Damage(
                deleted("2", "> 0"), "expected commands on /cmd_vel, got none", lost
            ),
            "cut message": Damage(
                _sql("UPDATE messages SET data = substr(data, 1, 40) WHERE topic_id = 1"),
                "not a readable bag",
                lost,
            ),
            "no message": Damage(
                _sql("UPDATE messages SET data = x'0001' WHERE topic_id = 2"),
                "not a readable",
                lost,
            ),
            "late commands": Damage(
                _sql(f"UPDATE messages SET timestamp = {START} + 10000000000 WHERE topic_id = 2"),
                "at least 2 frames after the first command and state, got 0 of 8",
                lost,
            ),
            "no tables": Damage(_sql("DROP TABLE messages"), "not a readable bag", lost),
            "no topic": Damage(
                _sql("UPDATE topics SET name = name || '2'"), "on /cmd_vel, got none", lost
            ),
            "newer": Damage(
                _text("metadata.yaml", "version: 9", "version: 99"), "version 99 not supp", lost
            ),
            "other file": Damage(_text("metadata.yaml", "- a.db3", "- z.db3"), "missing", lost),
            "no file": Damage(
                lambda folder: (folder / "hall/a/a.db3").unlink(), "not a read", lost
            ),
        }


@lru_cache(maxsize=1)
def _written() -> tuple[list[Truth], dict[str, bytes]]:
    """What is in the bags, and their files, written once as that takes long."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        truths = [*_arm(folder / "b"), *_alone(folder), *_mobile(folder / "hall" / "a")]
        files = [path for path in folder.rglob("*") if path.is_file()]
        return truths, {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _mobile(folder: Path) -> list[Truth]:
    """Commands without a header that begin after the first frame."""
    frames, commands, positions = moving_square(0, 8), walk(0, 9, 6, np.float64), walk(1, 20, 2)
    times = [START + 130 * MS + 60 * MS * k for k in range(9)]
    moments = [START - 20 * MS + 50 * MS * k for k in range(20)]
    sent = film("/camera", frames, "rgb8")
    sent += [
        Sent("/cmd_vel", "geometry_msgs/msg/Twist", time, twist(row))
        for time, row in zip(times, commands, strict=True)
    ]
    sent += [
        Sent("/joint_states", "sensor_msgs/msg/JointState", time + 9 * MS, joints(time, "ab", row))
        for time, row in zip(moments, positions, strict=True)
    ]
    folder.parent.mkdir(exist_ok=True)
    write_bag(folder, sent, StoragePlugin.SQLITE3)
    stamps = frame_times(8)[2:]
    actions = in_force(times, commands, stamps[:-1])
    return [Truth("hall/a", "/camera", frames[2:], actions, in_force(moments, positions, stamps))]


def _arm(folder: Path) -> list[Truth]:
    """Two cameras of different length, and depth."""
    front, wrist, goals = moving_square(1, 7), moving_square(2, 5), walk(2, 5, 3, np.float64)
    times = [START - 50 * MS + 155 * MS * k for k in range(5)]
    sent = film("/front/image_raw", front, "bgr8")
    sent += [
        Sent(
            "/wrist/image_raw/compressed",
            "sensor_msgs/msg/CompressedImage",
            stamp + MS,
            compressed(stamp, encode_jpeg(frame), "rgb8; jpeg compressed bgr8"),
        )
        for stamp, frame in zip(frame_times(5), wrist, strict=True)
    ]
    sent += [
        Sent(
            "/arm/command",
            "trajectory_msgs/msg/JointTrajectory",
            time + 500 * MS,
            trajectory(time, "xyz", row[None]),
        )
        for time, row in zip(times, goals, strict=True)
    ]
    distances = raw(START, np.zeros((4, 4, 2), np.uint8), "16UC1")
    sent.append(Sent("/depth", "sensor_msgs/msg/Image", START, distances))
    write_bag(folder, sent)
    return [
        Truth(
            "b",
            camera,
            frames,
            in_force(times, goals, frame_times(len(frames))[:-1]),
            np.zeros((len(frames), 0)),
        )
        for camera, frames in (("/front/image_raw", front), ("/wrist/image_raw/compressed", wrist))
    ]


def _alone(folder: Path) -> list[Truth]:
    """Gray pictures, and numbers."""
    frames, actions = moving_square(3, 6)[..., :1], walk(3, 6, 4)
    sent = film("/image", frames, "mono8")
    sent += [
        Sent("/policy/action", "std_msgs/msg/Float32MultiArray", stamp, array(row))
        for stamp, row in zip(frame_times(6), actions, strict=True)
    ]
    write_bag(folder / "c", sent)
    (folder / "c" / "c.mcap").rename(folder / "c.mcap")
    (folder / "c" / "metadata.yaml").unlink()
    (folder / "c").rmdir()
    return [Truth("c.mcap", "/image", frames, actions[:-1], np.zeros((6, 0)))]


def _edited(topic: str, change: Callable[[list[Any]], object]) -> Callable[[Path], None]:
    """Change the messages of a topic, and write the bag anew."""

    def apply(folder: Path) -> None:
        bag = folder / "hall" / "a"
        with Reader(bag) as reader:
            sent = [
                Sent(c.topic, c.msgtype, logged, STORE.deserialize_cdr(data, c.msgtype))
                for c, logged, data in reader.messages()
            ]
        change([each.content for each in sent if each.topic == topic])
        for file in bag.iterdir():
            file.unlink()
        bag.rmdir()
        write_bag(bag, sent, StoragePlugin.SQLITE3)

    return apply


def _restamp(messages: list[Any], which: int, as_is: int) -> None:
    messages[which].header.stamp = messages[as_is].header.stamp


def _shrink(message: Any) -> None:
    message.height -= 1
    message.data = message.data[: message.height * message.step]


def _sql(command: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        connection = sqlite3.connect(folder / "hall/a/a.db3")
        connection.execute(command)
        connection.commit()
        connection.close()

    return apply


def _text(file: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "hall/a" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return apply
