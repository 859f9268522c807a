"""What versions 2 and 3 of LeRobotDataset share: rows of numbers, and clips of videos.

Follows the public reader, https://github.com/huggingface/lerobot (`datasets` of 0.3.3 for
version 2 and of 0.4.4 for version 3).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.parquet import Parquet, parquet_file
from worldmodel.data.files.pictures import decode_picture, picture_size
from worldmodel.data.files.video import Video, video_file
from worldmodel.data.formats.robots.lerobot.info import INFO, LARGEST, Info, read_info
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.recording import Flaw, Frames, Place, Signals, View, no_signals
from worldmodel.errors import InputError

ACTION, STATE = "action", "observation.state"


class Clip(NamedTuple):
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
        task: What was to be done, in words.
        data: Its parquet file.
        clips: By key of the feature; one per video.
    """

    index: int
    length: int
    task: str
    data: str
    clips: Mapping[str, Clip]

    @property
    def name(self) -> str:
        """What the recording is called."""
        return f"episode_{self.index:06d}"

    @property
    def files(self) -> tuple[str, ...]:
        """All that hold it, its data first."""
        return self.data, *(clip.file for clip in self.clips.values())


def natural(record: Mapping[str, Any], key: str) -> int:
    """A whole number from 0 on.

    Raises:
        InputError: There is anything else.
    """
    value = record.get(key)
    if not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise InputError(f"expected '{key}' to be a whole number from 0 on, got {value!r}")
    return value


def task_of(record: Mapping[str, Any]) -> str:
    """The tasks of an episode in one line; empty if there are none."""
    tasks = record.get("tasks")
    return "; ".join(map(str, tasks)) if isinstance(tasks, list) else str(tasks or "")


class _Pictures(NamedTuple):
    """Size of a camera's pictures, and where they are."""

    height: int
    width: int
    channels: int
    place: Place


class LeRobot(Reader):
    """A LeRobotDataset of one version.

    The cameras are the features of type video, and those of type image, whose pictures are in the
    data; depth is left out. An episode with anything wrong is lost with all its cameras. Its last
    action leads nowhere and is dropped.

    Attributes:
        version: How `codebase_version` begins.
    """

    version: ClassVar[str]

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
            return read_info(folder).version.startswith(cls.version)
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

    def scan(self, unit: Unit) -> Iterator[View | Flaw]:
        """A view per camera of every episode whose numbers and frames are complete."""
        listing = _listing(type(self), self.folder)
        if unit.name == INFO:
            yield from listing.flaws
            return
        for episode in listing.episodes[unit.name]:
            try:
                yield from self._views(listing.info, episode)
            except InputError as error:
                yield _flaw(episode, error)

    def frames(self, view: View, steps: range) -> Frames:
        """Decode some frames of a video, or some pictures of the data."""
        with _named(view):
            if "video" in view.place:
                first = view.place["first"]
                video = self._video(view.place["video"])
                return Frames(video.frames(range(first + steps.start, first + steps.stop)))
            table, key, first = self._table(view.file), view.place["column"], view.place["rows"][0]
            pictures = table.pictures(key, range(first + steps.start, first + steps.stop))
            size = view.height, view.width
            return Frames(
                np.stack(
                    [
                        decode_picture(data, f"{view.file}: {key} {step}", size, view.channels)
                        for step, data in zip(steps, pictures, strict=True)
                    ]
                )
            )

    def signals(self, view: View) -> Signals:
        """Actions and states, without the last action."""
        with _named(view):
            table, rows = self._table(view.file), range(*view.place["rows"])
            signals = no_signals(view.length)
            if view.action_names:
                signals = signals._replace(actions=_finite(table, ACTION, rows)[:-1])
            if view.state_names:
                signals = signals._replace(states=_finite(table, STATE, rows))
            return signals

    def _views(self, info: Info, episode: Episode) -> list[View]:
        if episode.length < 2:
            raise InputError(f"{episode.data}: expected at least 2 frames, got {episode.length}")
        for file in episode.files:
            if file not in self.folder:
                raise InputError(f"{file}: the file is absent")
        table = self._table(episode.data)
        rows = _rows_by_episode(table).get(episode.index, range(0))
        if len(rows) != episode.length:
            raise InputError(
                f"{table.origin}: the list says {episode.length} frames, there are {len(rows)} rows"
            )
        times = _finite(table, "timestamp", rows)[:, 0]
        if (np.diff(times) <= 0).any():
            raise InputError(f"{table.origin}: time stamps do not rise")
        actions, units = _columns(info, table, ACTION, rows)
        states, _ = _columns(info, table, STATE, rows)
        cameras = {
            key: self._filmed(info, episode.clips[key], times)
            if key in episode.clips
            else _pictured(table, key, rows)
            for key in info.cameras
        }
        return [
            View(
                name=episode.name,
                camera=key.removeprefix("observation.").removeprefix("images."),
                file=episode.data,
                length=episode.length,
                height=pictures.height,
                width=pictures.width,
                channels=pictures.channels,
                domain=info.robot,
                action_names=actions,
                action_units=units,
                state_names=states,
                fps=info.fps,
                part=info.part(episode.index),
                task=episode.task,
                place={"rows": [rows.start, rows.stop], **pictures.place},
            )
            for key, pictures in cameras.items()
        ]

    def _filmed(self, info: Info, clip: Clip, times: np.ndarray) -> _Pictures:
        """Size of a video's frames, and the number of a clip's first."""
        video, half = self._video(clip.file), 0.5 / info.fps
        first, end = np.searchsorted(video.times, [clip.start - half, clip.stop - half]).tolist()
        if end - first != len(times):
            raise InputError(
                f"{clip.file}: the data has {len(times)} frames, the video {max(0, end - first)}"
            )
        if (np.abs(video.times[first:end] - clip.start - times) > half).any():
            raise InputError(
                f"{clip.file}: frames are off their time stamps by more than half a frame"
            )
        return _Pictures(video.height, video.width, 3, {"video": clip.file, "first": first})

    def _table(self, file: str) -> Parquet:
        return parquet_file(self.folder.local(file), self.folder.files[file], file)

    def _video(self, file: str) -> Video:
        return video_file(self.folder.local(file), file)


class _Listing(NamedTuple):
    """Episodes by data file, and what is wrong with the lists."""

    info: Info
    episodes: Mapping[str, Sequence[Episode]]
    flaws: Sequence[Flaw]


@lru_cache(maxsize=2)
def _listing(kind: type[LeRobot], folder: Folder) -> _Listing:
    """What there is in a folder, looked up once per process."""
    info = read_info(folder)
    if not info.version.startswith(kind.version):
        raise InputError(
            f"{folder}: {INFO}: expected codebase_version {kind.version}*, got {info.version}"
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
        raise InputError(f"{folder}: expected episodes of {kind.title}, none is listed")
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
        except (InputError, OSError) as error:
            yield Flaw(file, "", str(error).removeprefix(f"{file}: "))


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


def _pictured(table: Parquet, key: str, rows: range) -> _Pictures:
    """Size of an episode's first picture, and the column that holds them."""
    first = table.pictures(key, rows[:1])[0]
    return _Pictures(*picture_size(first, f"{table.origin}: {key}"), {"column": key})


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
        raise InputError(f"{table.origin}: '{key}' declares shape {declared}, has {width} numbers")
    numbered = tuple(f"{key.rpartition('.')[2]}_{number}" for number in range(width))
    names, units = _strings(feature.get("names")), _strings(feature.get("units"))
    fitting = len(names) == width == len(set(names))
    return names if fitting else numbered, units if len(units) == width else ("",) * width


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
    values = table.numbers(column, rows).reshape(len(rows), -1)
    if not np.isfinite(values).all():
        raise InputError(f"{table.origin}: '{column}' holds NaN or infinity")
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return values if values.dtype == np.float32 else values.astype(np.float64)


def _flaw(episode: Episode, error: InputError) -> Flaw:
    """Name the file to blame apart from the reason."""
    reason = str(error)
    blamed = (file for file in episode.files if reason.startswith(f"{file}: "))
    file = next(blamed, "")
    return Flaw(file or episode.data, episode.name, reason.removeprefix(f"{file}: "))


@contextmanager
def _named(view: View) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{view.name}: {error}") from error
