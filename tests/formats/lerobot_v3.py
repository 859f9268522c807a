"""LeRobotDatasets of version 3 for the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from writing import encode_png

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from worldmodel.data.files.video import encode_mp4
from worldmodel.data.formats.robots.lerobot.v3 import LeRobotV3

FPS = 5
LENGTHS = (6, 9, 7, 5)
NAMES = tuple(f"episode_{index:06d}" for index in range(len(LENGTHS)))
FRONT, WRIST, PALM = (f"observation.images.{name}" for name in ("front", "wrist", "palm"))
CAMERAS = (FRONT, WRIST, PALM)
DATA_FILES = ((0, 1, 2), (3,))
VIDEO_FILES = {FRONT: ((0, 1, 2), (3,)), WRIST: ((0, 1), (2, 3))}
SECOND = "chunk-000/file-001"


@final
class LeRobotV3Case(FormatCase):
    """Four episodes in two data files, two videos for each of two cameras, pictures of a third."""

    reader = LeRobotV3
    tolerance = 4.0

    def write(self, folder: Path) -> list[Truth]:
        """Write the data set as the library does, and one more episode after a break."""
        for number, episodes in enumerate(DATA_FILES):
            file = f"chunk-000/file-{number:03d}.parquet"
            write_groups(folder / "data" / file, [data_rows(index) for index in episodes])
            write_groups(folder / "meta/episodes" / file, [listed(index) for index in episodes])
        for key, files in VIDEO_FILES.items():
            for number, episodes in enumerate(files):
                path = folder / f"videos/{key}/chunk-000/file-{number:03d}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                frames = np.concatenate([pixels(index, key) for index in episodes])
                path.write_bytes(encode_mp4(frames, FPS))
        write_json(folder / "meta/info.json", info())
        write_json(folder / "meta/stats.json", {})
        tasks = {"task_index": [0, 1], "__index_level_0__": ["push", "pull"]}
        pq.write_table(pa.table(tasks), folder / "meta/tasks.parquet")
        return truths()

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second episode, whose files others share, or to the files of the last."""
        second, last = NAMES[1:2], NAMES[3:]
        return {
            **number_damages(edited_rows, second),
            "text actions": Damage(
                _edited_last(lambda table: _with_column(table, "action", ["x"] * len(table))),
                "expected numbers",
                last,
            ),
            "narrow actions": Damage(
                _edited_last(
                    lambda table: _with_column(table, "action", lists(np.zeros((5, 2), np.float32)))
                ),
                "declares shape",
                last,
            ),
            "ragged actions": Damage(
                _edited_last(
                    lambda table: _with_column(table, "action", [[0.0] * n for n in range(1, 6)])
                ),
                "differ in length",
                last,
            ),
            "no actions": Damage(
                _edited_last(lambda table: table.drop_columns("action")), "one column", last
            ),
            "a row less": Damage(
                edited_rows(1, lambda table: table.slice(1)), "list says 9 frames", second
            ),
            "longer in the list": Damage(_edited_list("length", 12), "list says 12", second),
            "very long in the list": Damage(_edited_list("length", 2**60), "whole number", second),
            "one frame": Damage(_edited_list("length", 1), "at least 2 frames", second),
            "no place": Damage(_edited_list("data/file_index", None), "whole number", second),
            "listed twice": Damage(_edited_list("episode_index", 0), "more than once", second),
            "short clip": Damage(
                _edited_list(f"videos/{FRONT}/to_timestamp", 14 / FPS),
                "the video 8",
                second,
                cameras=("front",),
            ),
            "clip elsewhere": Damage(
                _edited_list(f"videos/{FRONT}/from_timestamp", 0.0),
                "the video 15",
                second,
                cameras=("front",),
            ),
            "clip nowhere": Damage(
                _edited_list(f"videos/{FRONT}/from_timestamp", np.nan), "in seconds", second
            ),
            "cut video": Damage(
                lambda folder: cut(folder / f"videos/{FRONT}/{SECOND}.mp4"),
                "no readable video|holds no video",
                last,
                cameras=("front",),
            ),
            "absent video": Damage(
                lambda folder: (folder / f"videos/{WRIST}/{SECOND}.mp4").unlink(),
                "wrist: the file is absent",
                NAMES[2:],
                cameras=("wrist",),
            ),
            **info_damages(NAMES),
        }


def number_damages(
    edited: Callable[[int, Callable[[pa.Table], pa.Table]], Callable[[Path], None]],
    lost: tuple[str, ...],
) -> dict[str, Damage]:
    """Damage to the rows of the second episode, with whatever changes them."""

    def values(column: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
        return edited(1, lambda table: _with_values(table, column, change))

    def picture(row: int, data: bytes | None) -> Callable[[Path], None]:
        return edited(1, lambda table: _with_picture(table, row, data))

    small = encode_png(moving_square(1, 1, 16, 20)[0])
    return {
        "nan action": Damage(values("action", _with(np.nan)), "NaN or infinity", lost),
        "infinite state": Damage(values("observation.state", _with(np.inf)), "NaN or inf", lost),
        "nan time": Damage(values("timestamp", _with(np.nan)), "NaN or infinity", lost),
        "falling times": Damage(values("timestamp", lambda t: t[::-1].copy()), "not rise", lost),
        "slow times": Damage(
            values("timestamp", lambda t: 1.5 * t),
            "off their time",
            lost,
            cameras=("front", "wrist"),
        ),
        "no picture": Damage(
            picture(0, b"nothing"), "no readable picture", lost, cameras=("palm",)
        ),
        "a bad picture": Damage(picture(3, b"nothing"), "no readable picture", (), True),
        "a small picture": Damage(picture(3, small), "expected a picture of 24x32", (), True),
        "a picture elsewhere": Damage(picture(3, None), "expected pictures", (), True),
    }


def info_damages(lost: tuple[str, ...]) -> dict[str, Damage]:
    """Damage to `info.json`, which costs all."""

    def said(**values: object) -> Callable[[Path], None]:
        def apply(folder: Path) -> None:
            path = folder / "meta/info.json"
            write_json(path, json.loads(path.read_text()) | values)

        return apply

    return {
        "no frame rate": Damage(said(fps=None), "expected 'fps'", lost),
        "unending frame rate": Damage(said(fps=float("inf")), "expected 'fps'", lost),
        "no features": Damage(said(features=[]), "under 'features'", lost),
        "no cameras": Damage(said(features={}), "feature of type video or image", lost),
        "other version": Damage(said(codebase_version="v1.6"), "codebase_version", lost),
        "path out of the folder": Damage(said(data_path="../{x}.parquet"), "templates of", lost),
        "absolute path": Damage(said(data_path="/etc/passwd"), "file is absent", lost),
        "a million zeros": Damage(
            said(data_path="{episode_index:01000000d}"), "file is absent", lost
        ),
        "more episodes": Damage(said(total_episodes=10**12), "only 4 of 10000", ()),
    }


def pixels(index: int, key: str) -> np.ndarray:
    """Frames of an episode; those of the third camera are those of the first upside down."""
    camera = CAMERAS.index(key)
    frames = moving_square(index + 4 * (camera % 2), LENGTHS[index])
    return frames[:, ::-1].copy() if key == PALM else frames


def truths() -> list[Truth]:
    """What is in the data set."""
    return [
        Truth(
            NAMES[index],
            key.rpartition(".")[2],
            pixels(index, key),
            walk(index, length, 3)[:-1],
            walk(index + 9, length, 2),
        )
        for index, length in enumerate(LENGTHS)
        for key in CAMERAS
    ]


def info() -> dict[str, Any]:
    """As the library writes it."""
    names = {"action": ["x", "y", "gripper"], "observation.state": {"motors": ["a", "b"]}}
    numbers = {
        key: {"dtype": "float32", "shape": [len(walk(0, 1, width)[0])], "names": names[key]}
        for key, width in (("action", 3), ("observation.state", 2))
    }
    counters = {
        key: {"dtype": dtype, "shape": [1], "names": None}
        for key, dtype in (
            ("timestamp", "float32"),
            ("frame_index", "int64"),
            ("episode_index", "int64"),
            ("index", "int64"),
            ("task_index", "int64"),
        )
    }
    cameras = {
        key: {
            "dtype": "image" if key == PALM else "video",
            "shape": [24, 32, 3],
            "names": ["height", "width", "channels"],
        }
        for key in CAMERAS
    }
    return {
        "codebase_version": "v3.0",
        "robot_type": "so100",
        "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS),
        "total_tasks": 2,
        "chunks_size": 1000,
        "fps": FPS,
        "splits": {"train": f"0:{len(LENGTHS)}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {**cameras, **numbers, **counters},
    }


def data_rows(index: int) -> pa.Table:
    """Rows of an episode."""
    length = LENGTHS[index]
    count = np.arange(length)
    pictures = [{"bytes": encode_png(frame), "path": None} for frame in pixels(index, PALM)]
    return pa.table(
        {
            PALM: pa.array(pictures, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "action": lists(walk(index, length, 3)),
            "observation.state": lists(walk(index + 9, length, 2)),
            "timestamp": (count / FPS).astype(np.float32),
            "frame_index": count,
            "episode_index": np.full(length, index),
            "index": count + sum(LENGTHS[:index]),
            "task_index": np.full(length, index % 2),
        }
    )


def listed(index: int) -> pa.Table:
    """Row of an episode in the list."""
    row: dict[str, Any] = {
        "episode_index": index,
        "tasks": [("push", "pull")[index % 2]],
        "length": LENGTHS[index],
        "dataset_from_index": sum(LENGTHS[:index]),
        "dataset_to_index": sum(LENGTHS[: index + 1]),
        "data/chunk_index": 0,
        "data/file_index": _holding(DATA_FILES, index)[0],
    }
    for key, files in VIDEO_FILES.items():
        number, before = _holding(files, index)
        start = sum(LENGTHS[other] for other in before)
        row |= {
            f"videos/{key}/chunk_index": 0,
            f"videos/{key}/file_index": number,
            f"videos/{key}/from_timestamp": start / FPS,
            f"videos/{key}/to_timestamp": (start + LENGTHS[index]) / FPS,
        }
    return pa.Table.from_pylist([row | {"stats/action/min": [0.0, 0.0, 0.0]}])


def _holding(files: Sequence[Sequence[int]], index: int) -> tuple[int, Sequence[int]]:
    """Number of the file that holds an episode, and the episodes before it in that file."""
    number = next(number for number, episodes in enumerate(files) if index in episodes)
    return number, files[number][: files[number].index(index)]


def lists(values: np.ndarray) -> pa.Array:
    """A column of lists of a fixed length."""
    return pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])


def write_groups(path: Path, tables: Sequence[pa.Table]) -> None:
    """Write each table as a row group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, tables[0].schema, compression="snappy") as writer:
        for table in tables:
            writer.write_table(table)


def write_json(path: Path, value: object) -> None:
    """Write JSON as the library does."""
    path.write_text(json.dumps(value, indent=4))


def cut(path: Path) -> None:
    """Cut a file to three quarters."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])


def edited_rows(
    index: int, change: Callable[[pa.Table], pa.Table], where: str = "data"
) -> Callable[[Path], None]:
    """Change the row group of an episode in the first data file, or the first list."""

    def apply(folder: Path) -> None:
        path = folder / where / "chunk-000/file-000.parquet"
        with pq.ParquetFile(path) as file:
            groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        groups[index] = change(groups[index]).cast(groups[index].schema)
        write_groups(path, groups)

    return apply


def _edited_last(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / f"data/{SECOND}.parquet"
        write_groups(path, [change(pq.read_table(path))])

    return apply


def _edited_list(column: str, value: object) -> Callable[[Path], None]:
    return edited_rows(1, lambda table: _with_column(table, column, [value]), "meta/episodes")


def _with_column(table: pa.Table, column: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, pa.array(values))


def _with_values(
    table: pa.Table, column: str, change: Callable[[np.ndarray], np.ndarray]
) -> pa.Table:
    values = np.array(table.column(column).to_pylist(), np.float32)
    changed = change(values)
    return _with_column(table, column, lists(changed) if changed.ndim == 2 else changed)


def _with_picture(table: pa.Table, row: int, data: bytes | None) -> pa.Table:
    pictures = table.column(PALM).to_pylist()
    pictures[row] = {"bytes": data, "path": "frame.png"}
    kind = table.schema.field(PALM).type
    return table.set_column(table.column_names.index(PALM), PALM, pa.array(pictures, kind))


def _with(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def changed(values: np.ndarray) -> np.ndarray:
        values.reshape(len(values), -1)[2, 0] = value
        return values

    return changed
