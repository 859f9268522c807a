"""LeRobotDatasets of version 2 for the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.parquet as pq

from formats.case import Damage, FormatCase, Truth
from formats.lerobot_v3 import (
    FPS,
    FRONT,
    LENGTHS,
    NAMES,
    VIDEO_FILES,
    WRIST,
    cut,
    data_rows,
    info,
    info_damages,
    number_damages,
    pixels,
    truths,
    write_groups,
    write_json,
)
from worldmodel.data.files.video import encode_mp4
from worldmodel.data.formats.robots.lerobot.v2 import LeRobotV2

DATA = "data/chunk-{:03d}/episode_{:06d}.parquet"
VIDEO = "videos/chunk-{:03d}/{}/episode_{:06d}.mp4"
CHUNK = 3


@final
class LeRobotV2Case(FormatCase):
    """Four episodes in two chunks; two cameras have videos, one has pictures in the data."""

    reader = LeRobotV2
    tolerance = 4.0

    def write(self, folder: Path) -> list[Truth]:
        """Write the data set as the library did."""
        for index in range(len(LENGTHS)):
            write_groups(folder / DATA.format(index // CHUNK, index), [data_rows(index)])
            for key in VIDEO_FILES:
                path = folder / VIDEO.format(index // CHUNK, key, index)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode_mp4(pixels(index, key), FPS))
        rows = [
            {"episode_index": index, "tasks": [("push", "pull")[index % 2]], "length": length}
            for index, length in enumerate(LENGTHS)
        ]
        (folder / "meta").mkdir()
        _write_lines(folder / "meta/episodes.jsonl", rows)
        _write_lines(folder / "meta/tasks.jsonl", [{"task_index": 0, "task": "push"}])
        write_json(folder / "meta/info.json", info() | INFO)
        return truths()

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second episode."""
        lost = NAMES[1:2]
        return {
            **number_damages(_edited_rows, lost),
            "absent data": Damage(_removed(DATA.format(0, 1)), "file is absent", lost),
            "absent video": Damage(
                _removed(VIDEO.format(0, WRIST, 1)),
                "wrist: the file is absent",
                lost,
                cameras=("wrist",),
            ),
            "cut video": Damage(
                lambda folder: cut(folder / VIDEO.format(0, FRONT, 1)),
                "no readable video|holds no video",
                lost,
                cameras=("front",),
            ),
            "another video": Damage(
                _swapped_video, "data has 9 frames, the video 6", lost, cameras=("front",)
            ),
            "a row less": Damage(
                _edited_rows(1, lambda table: table.slice(1)), "list says 9 frames", lost
            ),
            "rows of another": Damage(
                lambda folder: write_groups(folder / DATA.format(0, 1), [data_rows(2)]),
                "there are 0 rows",
                lost,
            ),
            "no rows": Damage(
                _edited_rows(1, lambda table: table.slice(0, 0)), "there are 0 rows", lost
            ),
            "one frame": Damage(_edited_line({"length": 1}), "at least 2 frames", lost),
            "no length": Damage(_edited_line({"length": None}), "whole number", lost),
            "endless": Damage(_edited_line({"length": float("inf")}), "whole number", lost),
            "very late": Damage(_edited_line({"episode_index": 10**20}), "whole number", lost),
            "twice": Damage(_edited_line({"episode_index": 0}), "more than once", lost),
            "a line of nothing": Damage(_edited_line(None), "JSON object in every line", lost),
            **info_damages(NAMES),
        }


INFO = {
    "codebase_version": "v2.1",
    "chunks_size": CHUNK,
    "total_videos": 8,
    "total_chunks": 2,
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}
"""What differs from version 3."""


def _write_lines(path: Path, rows: list[object] | list[dict[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _edited_line(change: dict[str, object] | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "meta/episodes.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows[1] = None if change is None else rows[1] | change
        _write_lines(path, rows)

    return apply


def _edited_rows(index: int, change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / DATA.format(index // CHUNK, index)
        table = pq.read_table(path)
        write_groups(path, [change(table).cast(table.schema)])

    return apply


def _removed(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def _swapped_video(folder: Path) -> None:
    data = (folder / VIDEO.format(0, FRONT, 0)).read_bytes()
    (folder / VIDEO.format(0, FRONT, 1)).write_bytes(data)
