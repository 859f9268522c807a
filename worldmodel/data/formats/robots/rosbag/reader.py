"""Recordings in ROS 2 bags: each bag is one, with a camera for each topic of pictures.

A bag is a folder with `metadata.yaml` and its `.db3` or `.mcap` files, or such a file alone.

The commands are those of one topic, chosen by its name: the first that contains `cmd`, else
`command`, `action` or `target`, and is of a type in `ros_signals.COMMANDS`; one without messages
only if there is no other. Without such a topic there are no actions. The states are those of one
of the other topics: the first of the types in `ros_signals.STATES`. Depth is no camera.

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
from contextlib import contextmanager
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
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.recording import Flaw, Frames, Signals, View, no_signals
from worldmodel.errors import InputError

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
class _Film:
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

    title = "ROS 2 bags"
    libraries = ("rosbags",)

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a file of a bag."""
        return bool(folder.named(*STORAGES, *_WHOLE))

    def units(self) -> Iterator[Unit]:
        """One per bag."""
        if not self._bags:
            raise InputError(
                f"{self.folder}: expected ROS 2 bags ({', '.join(STORAGES)}), "
                f"found {len(self.folder.files)} other files"
            )
        return (Unit(name, files) for name, files in sorted(self._bags.items()))

    def scan(self, unit: Unit) -> Iterator[View | Flaw]:
        """A view per topic of pictures; their times are read, and all commands and states."""
        paths = self._paths(unit.name)
        with opened(paths) as bag:
            films = _films(bag)
        tracks = _tracks(paths, self._stamps(unit.name))
        for topic, film in films.items():
            try:
                if isinstance(film, InputError):
                    raise film
                yield self._view(unit, topic, film, tracks)
            except InputError as error:
                yield Flaw(unit.files[0], f"{unit.name} {topic}", str(error))

    def frames(self, view: View, steps: range) -> Frames:
        """Decode some pictures, of which no others of the bag are read, or few."""
        own = slice(steps.start, steps.stop)
        logged = _unpacked(view.place["logged"])[own]
        wanted = {stamp: n for n, stamp in enumerate(_unpacked(view.place["stamps"])[own].tolist())}
        expected, found = Size(view.height, view.width, view.channels), {}
        with _naming(view), opened(self._paths(view.name)) as bag:
            start, stop = int(logged.min()), int(logged.max()) + 1
            for message in bag.messages([view.camera], start, stop):
                if (n := wanted.get(message.stamp)) is not None:
                    found[n] = _decoded(message, expected, steps[n])
            if missing := [step for n, step in enumerate(steps) if n not in found]:
                raise InputError(f"frame {missing[0]} is not there")
        return Frames(np.stack([found[n] for n in range(len(steps))]))

    def signals(self, view: View) -> Signals:
        """Commands and states in force at each frame."""
        with _naming(view):
            tracks = _tracks(self._paths(view.name), self._stamps(view.name))
            return _aligned(tracks, _unpacked(view.place["stamps"]))

    def _view(self, unit: Unit, topic: str, film: _Film, tracks: _Tracks) -> View:
        film.check_count()
        stamps, logged = np.array(film.stamps), np.array(film.logged)
        first = max(
            (np.searchsorted(stamps, track.stamps[0]) for track in tracks if track), default=0
        )
        if len(stamps) - first < 2:
            raise InputError(
                "expected at least 2 frames after the first command and state, "
                f"got {len(stamps) - first} of {len(stamps)}"
            )
        stamps, logged = stamps[first:], logged[first:]
        start = float(stamps[0] / _NS)
        return View(
            name=unit.name,
            camera=topic,
            file=unit.files[0],
            length=len(stamps),
            height=film.size.height,
            width=film.size.width,
            channels=film.size.channels,
            domain=domain(self.folder, unit.name),
            action_names=tracks.actions.names if tracks.actions else (),
            action_units=tracks.actions.units if tracks.actions else (),
            state_names=tracks.states.names if tracks.states else (),
            fps=float(_NS / np.median(np.diff(stamps))),
            part=part(unit.name),
            start=start if start > EARLIEST else math.nan,
            place={"stamps": _packed(stamps), "logged": _packed(logged)},
        )

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


def _films(bag: Bag) -> dict[str, _Film | InputError]:
    """Of each topic of pictures, what is known or wrong."""
    films: dict[str, _Film | InputError] = {
        name: _Film(topic)
        for name, topic in bag.topics.items()
        if topic.kind in (RAW, COMPRESSED)
        and not any(is_depth(each.content) for each in islice(bag.messages([name]), 1))
    }
    if not films:
        raise InputError(f"expected a topic of pictures, available: {_listed(bag.topics)}")
    for message in bag.messages(list(films)):
        film = films[message.topic]
        if isinstance(film, _Film):
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


def _decoded(message: Message, expected: Size, step: int) -> np.ndarray:
    try:
        return pixels(message.content, expected)
    except InputError as error:
        raise InputError(f"frame {step}: {error}") from error


@contextmanager
def _naming(view: View) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{view.name}: {view.camera}: {error}") from error


def _listed(topics: Mapping[str, Topic]) -> str:
    return ", ".join(f"{name} ({topic.kind})" for name, topic in topics.items()) or "none"


def _packed(times: np.ndarray) -> str:
    """Rising times as text, some bytes each."""
    steps = np.diff(times, prepend=0).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes())).decode()


def _unpacked(text: str) -> np.ndarray:
    return np.cumsum(np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8"))
