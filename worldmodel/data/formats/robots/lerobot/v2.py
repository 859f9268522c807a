"""LeRobotDataset v2.0 and v2.1: one parquet file and one video per camera for each episode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, final

from worldmodel.data.files.folder import Folder
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

EPISODES = "meta/episodes.jsonl"


@final
class LeRobotV2(LeRobot):
    """A LeRobotDataset of version 2."""

    codebase = "v2."

    @classmethod
    def lists(cls, folder: Folder) -> list[str]:
        """The file with a line per episode."""
        return [file for file in (EPISODES,) if file in folder]

    @classmethod
    def listed(cls, folder: Folder, info: Info, file: str) -> Iterator[Episode | Flaw]:
        """An episode per line."""
        for line in filter(bytes.strip, folder.local(file).read_bytes().splitlines()):
            try:
                yield _episode(info, _record(line))
            except InputError as error:
                yield Flaw.of(error, file)


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError("expected a JSON object in every line") from error
    if not isinstance(record, dict):
        raise InputError("expected a JSON object in every line")
    return record


def _episode(info: Info, record: dict[str, Any]) -> Episode:
    index = natural(record, "episode_index")
    place = {"episode_chunk": index // info.chunk, "episode_index": index}
    return Episode(
        index=index,
        length=natural(record, "length"),
        instruction=instruction_of(record),
        data=filled(info.data_path, **place),
        segments={
            key: Segment(filled(info.video_path, video_key=key, **place)) for key in info.videos
        },
    )
