"""Recordings in ROS 2 bags: each bag is one, with a camera for each topic of pictures.

A bag is a folder with `metadata.yaml` and its `.db3` or `.mcap` files, or such a file alone.

The commands are those of one topic, chosen by its name: the first that contains `cmd`, else
`command`, `action` or `target`, and is of a type in `signals.COMMANDS`; one without messages
only if there is no other. Without such a topic there are no actions. The states are those of one
of the other topics: the first of the types in `signals.STATES`. Depth is no camera.

Time is that of the messages' headers, and that of logging where there is none. Each camera keeps
its own frames; the action that takes frame t to frame t+1 is the command in force at frame t: the
last whose time is not after it. Likewise for states. Frames before the first command and the first
state are left out.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Folder, Stamp
from worldmodel.data.formats.names import domain, part
from worldmodel.data.formats.robots.rosbag.messages import (
    METADATA,
    STORAGES,
    Bag,
    Message,
    Topic,
    opened,
)
from worldmodel.data.formats.robots.rosbag.pictures import (
    COMPRESSED,
    RAW,
    Size,
    is_depth,
    pixels,
    size,
)
from worldmodel.data.formats.robots.rosbag.signals import COMMANDS, STATES, numbers
from worldmodel.data.formats.signals import matrix
from worldmodel.data.reader import Reader, Unit, check_any, undamaged
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals, no_signals
from worldmodel.errors import InputError, located

COMMAND_WORDS = ("cmd", "command", "action", "target")
"""In names of topics of commands, the most telling first."""

EARLIEST = 1e9
"""Seconds since 1970; clocks that show less (2001) count from something else."""

_WHOLE = tuple(f"{storage}.zstd" for storage in STORAGES)
_NS = 1e9


class _Track(NamedTuple):
    """All messages of a topic of numbers.

    Attributes:
        stamps: Nanoseconds, not falling. Shape (n,).
        values: Shape (n, D).
        names: Of each dimension.
        units: Of each dimension.
    """

    stamps: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]

    def at(self, stamps: np.ndarray) -> np.ndarray:
        """Numbers of the last message that is not after each time."""
        return self.values[np.searchsorted(self.stamps, stamps, side="right") - 1]


class _Tracks(NamedTuple):
    actions: _Track | None
    states: _Track | None


@final
class _Pictures:
    """What is known of the pictures of a topic."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self.size = Size(0, 0, 0)
        self.stamps: list[int] = []
        self.logged: list[int] = []

    def add(self, message: Message) -> None:
        if not self.stamps:
            self.size = size(message.content)
        elif self._topic.kind == RAW and (other := size(message.content)) != self.size:
            raise InputError(f"expected pictures of one size, got {self.size} and {other}")
        if self.stamps and message.stamp <= self.stamps[-1]:
            same = message.stamp == self.stamps[-1]
            raise InputError(
                "two pictures have the same time" if same else "the times of pictures go backwards"
            )
        self.stamps.append(message.stamp)
        self.logged.append(message.logged)

    def check_count(self) -> None:
        if len(self.stamps) < self._topic.messages:
            raise InputError(f"declares {self._topic.messages} pictures, holds {len(self.stamps)}")


@final
class RosBag(Reader):
    """ROS 2 bags in a folder and below it, or a single file."""

    libraries = ("rosbags",)

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a file of a bag."""
        return bool(folder.named(*STORAGES, *_WHOLE))

    def units(self) -> Iterator[Unit]:
        """One per bag."""
        check_any(self.folder, self._bags, f"ROS 2 bags ({', '.join(STORAGES)})")
        return (Unit(name, files) for name, files in sorted(self._bags.items()))

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per bag; times of pictures are read, and all commands and states."""
        paths, bag_file = self._paths(unit.name), unit.files[0]
        with opened(paths) as bag:
            films = _films(bag)
        tracks = _tracks(paths, self._stamps(unit.name))
        with located(bag_file):
            cameras, damaged = undamaged(films, lambda topic: _camera(topic, films[topic], tracks))
        start = min(_unpacked(camera.place["stamps"])[0] for camera in cameras) / _NS
        yield Recording(
            name=unit.name,
            file=bag_file,
            cameras=cameras,
            domain=domain(self.folder, unit.name),
            action_names=tracks.actions.names if tracks.actions else (),
            action_units=tracks.actions.units if tracks.actions else (),
            state_names=tracks.states.names if tracks.states else (),
            part=part(unit.name),
            start=float(start) if start > EARLIEST else math.nan,
            all_cameras=tuple(films) if damaged else (),
        )
        yield from (Flaw.of(error, bag_file, unit.name) for error in damaged)

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some pictures, of which no others of the bag are read, or few."""
        own = slice(steps.start, steps.stop)
        logged, stamps = (_unpacked(camera.place[key])[own] for key in ("logged", "stamps"))
        wanted = {stamp: step for step, stamp in zip(steps, stamps.tolist(), strict=True)}
        expected = Size(camera.height, camera.width, camera.channels)
        found: dict[int, np.ndarray] = {}
        with opened(self._paths(recording.name)) as bag:
            start, stop = int(logged.min()), int(logged.max()) + 1
            for message in bag.messages([camera.name], start, stop):
                if (step := wanted.get(message.stamp)) is not None:
                    with located(frame=step):
                        found[step] = pixels(message.content, expected)
        if missing := [step for step in steps if step not in found]:
            raise InputError("is not there", frame=missing[0])
        return Frames(np.stack([found[step] for step in steps]))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Commands and states in force at each frame."""
        tracks = _tracks(self._paths(recording.name), self._stamps(recording.name))
        return _aligned(tracks, _unpacked(camera.place["stamps"]))

    @cached_property
    def _bags(self) -> dict[str, tuple[str, ...]]:
        """Files of each bag, by its name."""
        found: dict[str, tuple[str, ...]] = {}
        described = {
            PurePosixPath(file).parent: file
            for file in self.folder.named(METADATA)
            if PurePosixPath(file).name == METADATA
        }
        for parent, file in described.items():
            found[self._name(parent)] = (file,)
        for file in self.folder.named(*STORAGES, *_WHOLE):
            parent = PurePosixPath(file).parent
            if parent in described:
                found[self._name(parent)] += (file,)
            else:
                found[file] = (file,)
        return found

    def _name(self, parent: PurePosixPath) -> str:
        return str(parent) if parent.name else self.folder.name

    def _paths(self, bag: str) -> tuple[Path, ...]:
        return tuple(map(self.folder.local, self._bags[bag]))

    def _stamps(self, bag: str) -> tuple[Stamp, ...]:
        return tuple(self.folder.files[file] for file in self._bags[bag])


def _camera(topic: str, film: _Pictures | InputError, tracks: _Tracks) -> Camera:
    """What is known of a topic of pictures, from the first command and state on."""
    if isinstance(film, InputError):
        raise film
    film.check_count()
    stamps, logged = np.array(film.stamps), np.array(film.logged)
    first = max((np.searchsorted(stamps, track.stamps[0]) for track in tracks if track), default=0)
    if len(stamps) - first < 2:
        raise InputError(
            "expected at least 2 frames after the first command and state, "
            f"got {len(stamps) - first} of {len(stamps)}"
        )
    stamps, logged = stamps[first:], logged[first:]
    place = {"stamps": _packed(stamps), "logged": _packed(logged)}
    return Camera(topic, len(stamps), *film.size, float(_NS / np.median(np.diff(stamps))), place)


def _films(bag: Bag) -> dict[str, _Pictures | InputError]:
    """Of each topic of pictures, what is known or wrong."""
    films: dict[str, _Pictures | InputError] = {
        name: _Pictures(topic)
        for name, topic in bag.topics.items()
        if topic.kind in (RAW, COMPRESSED)
        and not any(is_depth(each.content) for each in islice(bag.messages([name]), 1))
    }
    if not films:
        raise InputError(f"expected a topic of pictures, available: {_listed(bag.topics)}")
    for message in bag.messages(list(films)):
        film = films[message.topic]
        if isinstance(film, _Pictures):
            try:
                film.add(message)
            except InputError as error:
                films[message.topic] = error
    return films


@lru_cache(maxsize=4)
def _tracks(paths: tuple[Path, ...], version: tuple[Stamp, ...]) -> _Tracks:
    """Commands and states of a version of a bag; those of a few bags are kept."""
    with opened(paths) as bag:
        command, state = _command_topic(bag.topics), _state_topic(bag.topics)
        return _Tracks(
            _track(bag, command, "commands") if command else None,
            _track(bag, state, "states") if state else None,
        )


def _command_topic(topics: Mapping[str, Topic]) -> str | None:
    suited = [
        (topic.messages == 0, rank, name)
        for name, topic in topics.items()
        for rank, word in enumerate(COMMAND_WORDS)
        if topic.kind in COMMANDS and word in name.lower()
    ]
    return min(suited)[2] if suited else None


def _state_topic(topics: Mapping[str, Topic]) -> str | None:
    others = {
        name: topic
        for name, topic in topics.items()
        if topic.messages and not any(word in name.lower() for word in COMMAND_WORDS)
    }
    return next((name for kind in STATES for name in others if others[name].kind == kind), None)


def _track(bag: Bag, name: str, what: str) -> _Track:
    topic = bag.topics[name]
    stamps, values = list[int](), list[np.ndarray]()
    names, units = (), ()
    for message in bag.messages([name]):
        found = numbers(message.content, topic.kind)
        if not values:
            names, units = found.names, found.units
        if found.names != names:
            raise InputError(f"expected {what} of {', '.join(names)}, got {', '.join(found.names)}")
        if stamps and message.stamp < stamps[-1]:
            raise InputError(f"the times of {what} go backwards")
        stamps.append(message.stamp)
        values.append(np.array(found.values))
    if not values:
        raise InputError(f"expected {what} on {name}, got none")
    if len(values) < topic.messages:
        raise InputError(f"{name} declares {topic.messages} {what}, holds {len(values)}")
    return _Track(np.array(stamps), matrix(np.stack(values), what), names, units)


def _aligned(tracks: _Tracks, stamps: np.ndarray) -> Signals:
    """Commands and states in force at each frame."""
    actions, states = no_signals(len(stamps))
    if tracks.actions:
        actions = tracks.actions.at(stamps[:-1])
    if tracks.states:
        states = tracks.states.at(stamps)
    return Signals(actions, states)


def _listed(topics: Mapping[str, Topic]) -> str:
    return ", ".join(f"{name} ({topic.kind})" for name, topic in topics.items()) or "none"


def _packed(times: np.ndarray) -> str:
    """Rising times as text, some bytes each."""
    steps = np.diff(times, prepend=0).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes())).decode()


def _unpacked(text: str) -> np.ndarray:
    return np.cumsum(np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8"))
