"""What `meta/info.json` of a LeRobotDataset says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.names import PARTS
from worldmodel.data.recording import Part
from worldmodel.errors import InputError

INFO = "meta/info.json"

LARGEST = 1e15
"""No number in `info.json` is larger."""

_FIELD = re.compile(r"\{(\w+)(?::0(\d)d)?\}")


@final
@dataclass(frozen=True)
class Info:
    """What `info.json` says; keys that are not needed are ignored.

    Attributes:
        version: `codebase_version`.
        fps: Frames per second.
        robot: `robot_type`, "unknown" if it is not said.
        episodes: How many there are.
        chunk: Episodes in a folder (version 2).
        data_path: Template of the names of data files.
        video_path: Template of the names of videos; empty if there are none.
        splits: Numbers of episodes by part.
        features: By key.
    """

    version: str
    fps: float
    robot: str
    episodes: int
    chunk: int
    data_path: str
    video_path: str
    splits: Mapping[Part, range]
    features: Mapping[str, Mapping[str, Any]]

    @property
    def videos(self) -> list[str]:
        """Keys of the cameras whose pictures are in videos."""
        return self._cameras("video") if self.video_path else []

    @property
    def cameras(self) -> list[str]:
        """Keys of all cameras, in order; depth is left out."""
        known = {*self.videos, *self._cameras("image")}
        return [key for key in self.features if key in known]

    def part(self, episode: int) -> Part | Literal[""]:
        """Where an episode belongs; "" if nothing but training is published."""
        if set(self.splits) <= {"train"}:
            return ""
        for part, those in self.splits.items():
            if episode in those:
                return part
        return ""

    def _cameras(self, dtype: str) -> list[str]:
        return [
            key
            for key, feature in self.features.items()
            if feature.get("dtype") == dtype and not _is_depth(feature)
        ]


def read_info(folder: Folder) -> Info:
    """Read `info.json`.

    Raises:
        InputError: It is missing, or damaged.
    """
    where = f"{folder}: {INFO}"
    if INFO not in folder:
        raise InputError(f"{where}: expected this file, found {', '.join(list(folder.files)[:5])}")
    try:
        said = json.loads(folder.local(INFO).read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{where}: not readable JSON ({error})") from error
    if not isinstance(said, dict):
        raise InputError(f"{where}: expected an object, got {type(said).__name__}")
    features = said.get("features")
    if not isinstance(features, dict) or not all(isinstance(f, dict) for f in features.values()):
        raise InputError(f"{where}: expected an object of objects under 'features'")
    return Info(
        version=_text(said, "codebase_version", where),
        fps=_number(said, "fps", where, 1e-6),
        robot=str(said.get("robot_type") or "unknown"),
        episodes=int(_number({"total_episodes": 0} | said, "total_episodes", where, 0)),
        chunk=int(_number({"chunks_size": 1000} | said, "chunks_size", where, 1)),
        data_path=_text(said, "data_path", where),
        video_path=_text(said, "video_path", where) if said.get("video_path") else "",
        splits=_splits(said.get("splits")),
        features=features,
    )


def filled(template: str, **fields: object) -> str:
    """A path from a template such as `episode_{episode_index:06d}.parquet`.

    Raises:
        InputError: The template has other fields.
    """

    def value(field: re.Match[str]) -> str:
        if field[1] not in fields:
            raise InputError(f"{INFO}: expected templates of {', '.join(fields)}, got {template!r}")
        return str(fields[field[1]]).zfill(int(field[2] or 0))

    return _FIELD.sub(value, template)


def _is_depth(feature: Mapping[str, Any]) -> bool:
    """Whether pictures measure distance, by any of the marks that there have been."""
    marks = ("is_depth_map", "video.is_depth_map")
    places = (feature.get("info"), feature.get("video_info"))
    return any(isinstance(said, dict) and said.get(mark) for said in places for mark in marks)


def _splits(said: object) -> dict[Part, range]:
    """Known parts that are given as `from:to`."""
    found: dict[Part, range] = {}
    for name, bounds in said.items() if isinstance(said, dict) else ():
        match = re.fullmatch(r"(\d{1,15}):(\d{1,15})", str(bounds))
        if name in PARTS and match:
            found[PARTS[name]] = range(int(match[1]), int(match[2]))
    return found


def _text(said: Mapping[str, Any], key: str, where: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise InputError(f"{where}: expected text under '{key}', got {value!r}")
    return value


def _number(said: Mapping[str, Any], key: str, where: str, least: float) -> float:
    value = said.get(key)
    if not isinstance(value, int | float) or not least <= value <= LARGEST:
        raise InputError(f"{where}: expected '{key}' to be at least {least:g}, got {value!r}")
    return float(value)
