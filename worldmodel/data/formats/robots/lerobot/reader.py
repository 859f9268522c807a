"""What versions 2 and 3 of LeRobotDataset share: rows of numbers, and parts of videos.

Follows the public reader, https://github.com/huggingface/lerobot (`datasets` of 0.3.3 for
version 2 and of 0.4.4 for version 3).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.parquet import Parquet, parquet_file
from worldmodel.data.files.pictures import decode_pictures, picture_size
from worldmodel.data.files.video import video_file
from worldmodel.data.formats.robots.lerobot.info import INFO, LARGEST, Info, read_info
from worldmodel.data.formats.signals import matrix, numbered
from worldmodel.data.reader import Reader, Unit, undamaged
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals, no_signals
from worldmodel.errors import InputError, located

ACTION, STATE = "action", "observation.state"


class Segment(NamedTuple):
    """An episode's part of a video.

    Attributes:
        file: The video.
        start: Time in it of the first frame, in seconds.
        stop: Time in it after the last frame, in seconds.
    """

    file: str
    start: float = 0.0
    stop: float = math.inf


@final
@dataclass(frozen=True)
class Episode:
    """What is listed of an episode.

    Attributes:
        index: Its number.
        length: Frames.
        instruction: What was to be done, in words.
        data: Its parquet file.
        segments: By key of the feature; one per video.
    """

    index: int
    length: int
    instruction: str
    data: str
    segments: Mapping[str, Segment]

    @property
    def name(self) -> str:
        """What the recording is called."""
        return f"episode_{self.index:06d}"

    @property
    def files(self) -> tuple[str, ...]:
        """All that hold it, its data first."""
        return self.data, *(segment.file for segment in self.segments.values())


def natural(record: Mapping[str, Any], key: str) -> int:
    """A whole number from 0 on.

    Raises:
        InputError: There is anything else.
    """
    value = record.get(key)
    if not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise InputError(f"expected '{key}' to be a whole number from 0 on, got {value!r}")
    return value


def instruction_of(record: Mapping[str, Any]) -> str:
    """The tasks of an episode in one line; empty if there are none."""
    tasks = record.get("tasks")
    return "; ".join(map(str, tasks)) if isinstance(tasks, list) else str(tasks or "")


class LeRobot(Reader):
    """A LeRobotDataset of one version.

    The cameras are the features of type video, and those of type image, whose pictures are in the
    data; depth is left out. The last action of an episode leads nowhere and is dropped.

    Attributes:
        codebase: How `codebase_version` begins.
    """

    codebase: ClassVar[str]

    @classmethod
    @abstractmethod
    def lists(cls, folder: Folder) -> list[str]:
        """Files that list episodes."""

    @classmethod
    @abstractmethod
    def listed(cls, folder: Folder, info: Info, file: str) -> Iterator[Episode | Flaw]:
        """Episodes of one of those files.

        Raises:
            InputError: It is damaged.
        """

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether `info.json` names the version; by the files there are if it is damaged."""
        try:
            return read_info(folder).version.startswith(cls.codebase)
        except InputError:
            return bool(cls.lists(folder))

    def units(self) -> Iterator[Unit]:
        """The list of episodes, then one per data file."""
        listing = _listing(type(self), self.folder)
        lists = (INFO, *self.lists(self.folder))
        yield Unit(INFO, lists)
        for data, episodes in listing.episodes.items():
            held = dict.fromkeys(file for episode in episodes for file in episode.files)
            yield Unit(data, (*lists, *held))

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per episode whose numbers are complete, with the cameras that are."""
        listing = _listing(type(self), self.folder)
        if unit.name == INFO:
            yield from listing.flaws
            return
        for episode in listing.episodes[unit.name]:
            try:
                recording, damaged = self._recording(listing.info, episode)
            except InputError as error:
                damaged = [error]
            else:
                yield recording
            yield from (Flaw.of(error, episode.data, episode.name) for error in damaged)

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some frames of a video, or some pictures of the data."""
        if "video" in camera.place:
            file, first = camera.place["video"], camera.place["first"]
            with located(file):
                video = video_file(self.folder.local(file))
                return Frames(video.frames(range(first + steps.start, first + steps.stop)))
        table, first = self._table(recording.file), recording.place["rows"][0]
        rows = range(first + steps.start, first + steps.stop)
        return Frames(decode_pictures(table.pictures(camera.place["column"], rows), steps, camera))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and states, without the last action."""
        table, rows = self._table(recording.file), range(*recording.place["rows"])
        actions, states = no_signals(len(rows))
        if recording.action_names:
            actions = _finite(table, ACTION, rows)[:-1]
        if recording.state_names:
            states = _finite(table, STATE, rows)
        return Signals(actions, states)

    def _recording(self, info: Info, episode: Episode) -> tuple[Recording, list[InputError]]:
        """A recording, and what is wrong with its other cameras."""
        if episode.length < 2:
            raise InputError(f"expected at least 2 frames, got {episode.length}")
        self._check_there(episode.data)
        table = self._table(episode.data)
        rows = _rows_by_episode(table).get(episode.index, range(0))
        if len(rows) != episode.length:
            raise InputError(f"the list says {episode.length} frames, there are {len(rows)} rows")
        times = _finite(table, "timestamp", rows)[:, 0]
        if (np.diff(times) <= 0).any():
            raise InputError("time stamps do not rise")
        actions, units = _columns(info, table, ACTION, rows)
        states, _ = _columns(info, table, STATE, rows)
        keys = {_camera_name(key): key for key in info.cameras}

        def camera(name: str) -> Camera:
            segment = episode.segments.get(keys[name])
            if segment is None:
                return _pictured(info, table, keys[name], rows)
            with located(segment.file):
                return self._filmed(info, segment, name, times)

        cameras, damaged = undamaged(keys, camera)
        recording = Recording(
            name=episode.name,
            file=episode.data,
            cameras=cameras,
            domain=info.robot,
            action_names=actions,
            action_units=units,
            state_names=states,
            part=info.part(episode.index),
            instruction=episode.instruction,
            all_cameras=tuple(keys) if damaged else (),
            place={"rows": [rows.start, rows.stop]},
        )
        return recording, damaged

    def _filmed(self, info: Info, segment: Segment, name: str, times: np.ndarray) -> Camera:
        """A camera whose pictures are in a video; its place says the number of the first."""
        self._check_there(segment.file)
        video, half = video_file(self.folder.local(segment.file)), 0.5 / info.fps
        bounds = [segment.start - half, segment.stop - half]
        first, end = np.searchsorted(video.times, bounds).tolist()
        if end - first != len(times):
            raise InputError(f"the data has {len(times)} frames, the video {max(0, end - first)}")
        if (np.abs(video.times[first:end] - segment.start - times) > half).any():
            raise InputError("frames are off their time stamps by more than half a frame")
        place = {"video": segment.file, "first": first}
        return Camera(name, len(times), video.height, video.width, 3, info.fps, place)

    def _check_there(self, file: str) -> None:
        if file not in self.folder:
            raise InputError("the file is absent", file=file)

    def _table(self, file: str) -> Parquet:
        return parquet_file(self.folder.local(file), self.folder.files[file])


class _Listing(NamedTuple):
    """Episodes by data file, and what is wrong with the lists."""

    info: Info
    episodes: Mapping[str, Sequence[Episode]]
    flaws: Sequence[Flaw]


@lru_cache(maxsize=2)
def _listing(kind: type[LeRobot], folder: Folder) -> _Listing:
    """What there is in a folder, looked up once per process."""
    info = read_info(folder)
    if not info.version.startswith(kind.codebase):
        raise InputError(
            f"{folder}: {INFO}: expected codebase_version {kind.codebase}*, got {info.version}"
        )
    if not info.cameras:
        raise InputError(
            f"{folder}: {INFO}: expected a feature of type video or image, "
            f"got {', '.join(info.features) or 'none'}"
        )
    episodes: dict[int, Episode] = {}
    flaws: list[Flaw] = []
    for finding in _listed(kind, folder, info):
        if isinstance(finding, Flaw):
            flaws.append(finding)
        elif finding.index in episodes:
            flaws.append(Flaw(INFO, finding.name, "is listed more than once"))
        else:
            episodes[finding.index] = finding
    if not episodes and not flaws:
        raise InputError(f"{folder}: expected episodes, none is listed")
    if len(episodes) < info.episodes:
        reason = f"only {len(episodes)} of {info.episodes} episodes are listed"
        flaws.append(Flaw(INFO, "", reason))
    by_file: dict[str, list[Episode]] = defaultdict(list)
    for index in sorted(episodes):
        by_file[episodes[index].data].append(episodes[index])
    return _Listing(info, dict(by_file), flaws)


def _listed(kind: type[LeRobot], folder: Folder, info: Info) -> Iterator[Episode | Flaw]:
    for file in kind.lists(folder):
        try:
            yield from kind.listed(folder, info, file)
        except InputError as error:
            yield Flaw.of(error, file)
        except OSError as error:
            yield Flaw(file, "", f"cannot be read ({error.strerror})")


@lru_cache(maxsize=16)
def _rows_by_episode(table: Parquet) -> Mapping[float, range]:
    """The first stretch of rows of each episode in a data file."""
    if not len(table):
        return {}
    numbers = table.numbers("episode_index", range(len(table)))
    indices = numbers.reshape(len(table), -1)[:, 0].astype(np.float64)
    bounds = [0, *(np.flatnonzero(np.diff(indices)) + 1).tolist(), len(table)]
    rows: dict[float, range] = {}
    for start, stop in pairwise(bounds):
        rows.setdefault(indices[start].item(), range(start, stop))
    return rows


def _camera_name(key: str) -> str:
    return key.removeprefix("observation.").removeprefix("images.")


def _pictured(info: Info, table: Parquet, key: str, rows: range) -> Camera:
    """A camera whose pictures are in a column of the data."""
    size = picture_size(table.pictures(key, rows[:1])[0])
    return Camera(_camera_name(key), len(rows), *size, fps=info.fps, place={"column": key})


def _columns(
    info: Info, table: Parquet, key: str, rows: range
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of the columns of a feature, after a look at its numbers."""
    if key not in info.features:
        return (), ()
    feature = info.features[key]
    width = _finite(table, key, rows).shape[1]
    declared = feature.get("shape")
    sides = declared if isinstance(declared, list) else []
    if not all(isinstance(side, int) for side in sides) or math.prod(sides) != width:
        raise InputError(f"'{key}' declares shape {declared}, has {width} numbers")
    names, units = _strings(feature.get("names")), _strings(feature.get("units"))
    fitting = len(names) == width == len(set(names))
    unnamed = numbered(key.rpartition(".")[2], width)
    return names if fitting else unnamed, units if len(units) == width else ("",) * width


def _strings(said: object) -> tuple[str, ...]:
    """Names from a list, a list of lists, lists by group, or places by name."""
    if isinstance(said, dict):
        numbered = all(isinstance(place, int) for place in said.values())
        in_order = sorted(said.items(), key=lambda item: item[1]) if numbered else said.items()
        said = [name if numbered else place for name, place in in_order]
    groups = said if isinstance(said, list) else []
    flat = [name for group in groups for name in (group if isinstance(group, list) else [group])]
    return tuple(flat) if all(isinstance(name, str) for name in flat) else ()


def _finite(table: Parquet, column: str, rows: range) -> np.ndarray:
    """Numbers of a column as float32 or float64 (T, D)."""
    return matrix(table.numbers(column, rows).reshape(len(rows), -1), f"values of '{column}'")
