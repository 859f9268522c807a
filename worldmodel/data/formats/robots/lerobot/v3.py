"""LeRobotDataset v3.0: many episodes per parquet file and per video."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, final

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.parquet import parquet_file
from worldmodel.data.formats.robots.lerobot.info import Info, filled
from worldmodel.data.formats.robots.lerobot.reader import (
    Episode,
    LeRobot,
    Segment,
    instruction_of,
    natural,
)
from worldmodel.data.recording import Flaw
from worldmodel.errors import InputError

EPISODES = "meta/episodes/"


@final
class LeRobotV3(LeRobot):
    """A LeRobotDataset of version 3."""

    codebase = "v3."

    @classmethod
    def lists(cls, folder: Folder) -> list[str]:
        """Tables with a row per episode."""
        return [file for file in folder.named(".parquet") if file.startswith(EPISODES)]

    @classmethod
    def listed(cls, folder: Folder, info: Info, file: str) -> Iterator[Episode | Flaw]:
        """An episode per row; statistics are not looked at."""
        table = parquet_file(folder.local(file), folder.files[file])
        columns = ["episode_index", "tasks", "length", "data/chunk_index", "data/file_index"]
        places = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
        columns += [f"videos/{key}/{place}" for key in info.videos for place in places]
        for record in table.records(columns):
            try:
                yield _episode(info, record)
            except InputError as error:
                yield Flaw.of(error, file)


def _episode(info: Info, record: dict[str, Any]) -> Episode:
    length = natural(record, "length")
    return Episode(
        index=natural(record, "episode_index"),
        length=length,
        instruction=instruction_of(record),
        data=filled(info.data_path, **_place(record, "data")),
        segments={key: _segment(info, record, key, length) for key in info.videos},
    )


def _segment(info: Info, record: dict[str, Any], key: str, length: int) -> Segment:
    place = f"videos/{key}"
    file = filled(info.video_path, video_key=key, **_place(record, place))
    start = _seconds(record, f"{place}/from_timestamp")
    stop = f"{place}/to_timestamp"
    unsaid = record.get(stop) is None
    return Segment(file, start, start + length / info.fps if unsaid else _seconds(record, stop))


def _place(record: dict[str, Any], what: str) -> dict[str, int]:
    return {key: natural(record, f"{what}/{key}") for key in ("chunk_index", "file_index")}


def _seconds(record: dict[str, Any], key: str) -> float:
    value = record.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"expected '{key}' to be a time in seconds, got {value!r}")
    return float(value)
