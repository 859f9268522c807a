"""Minari data sets: many episodes in one HDF5 file, described by spaces of Gymnasium.

Follows the public library, https://github.com/Farama-Foundation/Minari (`dataset/minari_storage.py`
and `dataset/_storages/hdf5_storage.py`), which also turns the description into spaces. Its own
reading of episodes decodes all pictures of an episode at once, and makes the environment, that is,
runs code that the data names, where spaces are not described; so arrays are read here, in the
library's layout, and such data sets are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple, final

import gymnasium
import h5py
import numpy as np

from worldmodel.data.formats.hdf5_episodes import (
    Layout,
    array_in,
    columns,
    group_in,
    numbers_in,
    opened_file,
    picture_layout,
    raw_pictures,
    told,
)
from worldmodel.data.folder import Folder
from worldmodel.data.hdf5 import text_attribute
from worldmodel.data.pictures import decode_picture, picture_size
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.view import Flaw, Frames, Signals, View
from worldmodel.errors import InputError

ARRAYS, DESCRIPTION = "main_data.hdf5", "metadata.json"

_EPISODE = re.compile(r"episode_(\d+)")
_SPACE_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
)


class Leaf(NamedTuple):
    """A space that is not made of others.

    Attributes:
        key: Of its dataset in an episode.
        name: Path within the space, with `/`; empty if it is the whole.
        space: What it is.
    """

    key: str
    name: str
    space: gymnasium.Space


@final
@dataclass(frozen=True)
class Description:
    """What `metadata.json` says.

    Attributes:
        episodes: How many there should be.
        cameras: Name and leaf of each observation that is a picture.
        states: Observations that are vectors of floating point numbers.
        actions: All parts of the action.
        action_names: One per column, as declared; empty if they are not.
        action_units: One per column, as declared; empty if they are not.
        state_names: One per column, as declared; empty if they are not.
        environment: Which was recorded.
    """

    episodes: int
    cameras: Mapping[str, Leaf]
    states: tuple[Leaf, ...]
    actions: tuple[Leaf, ...]
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    state_names: tuple[str, ...]
    environment: str


@final
class Minari(Reader):
    """Minari data sets in a folder and below it.

    The cameras are the observations that are pictures, boxes of uint8 (H, W, C) or (C, H, W),
    stored as JPEG or raw. The states are the observations that are vectors of floating point
    numbers. Names, units, frames per second, domain and task are read as `MinariWriter` adds them.
    """

    title = "Minari"

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a file of the library's name."""
        return bool(_files(folder))

    def units(self) -> Iterator[Unit]:
        """One per data set."""
        files = _files(self.folder)
        if not files:
            raise InputError(
                f"{self.folder}: expected {ARRAYS}, found {len(self.folder.files)} other files"
            )
        return (Unit(file, (file, _beside(file))) for file in files)

    def scan(self, unit: Unit) -> Iterator[View | Flaw]:
        """A view per camera of every episode."""
        described = _description(self.folder, _beside(unit.name))
        with opened_file(self.folder, unit.name) as file:
            with told(unit.name):
                names = _episodes(file)
            if len(names) < described.episodes:
                reason = f"{described.episodes} episodes are listed and {len(names)} are there"
                yield Flaw(unit.name, "", reason)
            for name in names:
                try:
                    with told():
                        views = _views(group_in(file, name), unit.name, name, described)
                except InputError as error:
                    yield Flaw(unit.name, f"{unit.name}/{name}", str(error))
                else:
                    yield from views

    def frames(self, view: View, steps: range) -> Frames:
        """Read some pictures, and decode those that are stored as JPEG."""
        with opened_file(self.folder, view.file) as file, told(view.name, view.camera):
            pictures = array_in(group_in(file, view.place["episode"]), view.place["key"])
            if not view.place["jpeg"]:
                return Frames(raw_pictures(pictures, steps))
            size = view.height, view.width
            return Frames(
                np.stack(
                    [
                        decode_picture(_bytes(pictures, step), f"frame {step}", size, view.channels)
                        for step in steps
                    ]
                )
            )

    def signals(self, view: View) -> Signals:
        """All actions, and states."""
        with opened_file(self.folder, view.file) as file, told(view.name):
            episode = group_in(file, view.place["episode"])
            return Signals(
                numbers_in(episode, view.place["actions"], view.length - 1),
                numbers_in(episode, view.place["states"], view.length),
            )


def leaves(space: gymnasium.Space, key: str, name: str = "") -> Iterator[Leaf]:
    """The parts of a space that are stored as a dataset each.

    Args:
        space: Of observations or actions.
        key: Of the group or dataset that holds it.
        name: Path within the whole.
    """
    if isinstance(space, gymnasium.spaces.Dict):
        parts = [(part, part, inner) for part, inner in space.spaces.items()]
    elif isinstance(space, gymnasium.spaces.Tuple):
        parts = [(f"_index_{i}", str(i), inner) for i, inner in enumerate(space.spaces)]
    else:
        yield Leaf(key, name, space)
        return
    for stored, part, inner in parts:
        yield from leaves(inner, f"{key}/{stored}", f"{name}/{part}" if name else part)


def _files(folder: Folder) -> list[str]:
    return [file for file in folder.files if PurePosixPath(file).name == ARRAYS]


def _beside(file: str) -> str:
    return PurePosixPath(file).with_name(DESCRIPTION).as_posix()


def _description(folder: Folder, file: str) -> Description:
    with told(file):
        said = _read(folder, file)
        if said.get("data_format", "hdf5") != "hdf5":
            raise InputError(f"expected data_format hdf5, got {said['data_format']}")
        observed = tuple(leaves(_space(said, "observation_space"), "observations"))
        cameras = {leaf.name: leaf for leaf in observed if _layout(leaf.space) is not None}
        if not cameras:
            there = (f"{leaf.name} {leaf.space.dtype} {leaf.space.shape}" for leaf in observed)
            raise InputError(
                "expected an observation that is a picture, a box of uint8 (H, W, C) or "
                f"(C, H, W) with 1 or 3 channels, got {', '.join(there) or 'none'}"
            )
        renamed = said.get("camera_names")
        renamed = renamed if isinstance(renamed, dict) else {}
        episodes = said.get("total_episodes")
        return Description(
            episodes=episodes if isinstance(episodes, int) else 0,
            cameras={str(renamed.get(name, name)): leaf for name, leaf in cameras.items()},
            states=tuple(leaf for leaf in observed if _is_vector(leaf.space)),
            actions=tuple(leaves(_space(said, "action_space"), "actions")),
            action_names=_texts(said, "action_names"),
            action_units=_texts(said, "action_units"),
            state_names=_texts(said, "state_names"),
            environment=_environment(said) or PurePosixPath(file).parent.name,
        )


def _read(folder: Folder, file: str) -> dict[str, Any]:
    try:
        said = json.loads(folder.local(file).read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"not readable JSON ({error})") from error
    if not isinstance(said, dict):
        raise InputError(f"expected an object, got {type(said).__name__}")
    return said


def _space(said: Mapping[str, Any], key: str) -> gymnasium.Space:
    try:
        from minari.serialization import deserialize_space  # noqa
    except ImportError as error:
        raise InputError(
            f"reading Minari needs more packages ({error}): pip install 'worldmodel[logs]'"
        ) from error
    text = said.get(key)
    if not isinstance(text, str):
        raise InputError(f"expected '{key}' to describe a space, available: {', '.join(said)}")
    try:
        return deserialize_space(text)
    except _SPACE_DAMAGE as error:
        raise InputError(f"expected '{key}' to describe a space ({error})") from error


def _layout(space: gymnasium.Space) -> Layout | None:
    is_box = isinstance(space, gymnasium.spaces.Box) and space.dtype == np.uint8
    return picture_layout(space.shape) if is_box else None


def _is_vector(space: gymnasium.Space) -> bool:
    box = isinstance(space, gymnasium.spaces.Box)
    return box and len(space.shape) == 1 and space.dtype.kind == "f"


def _texts(said: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = said.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _environment(said: Mapping[str, Any]) -> str:
    """Name of the environment, else of the data set; empty if neither is told."""
    try:
        return str(json.loads(said["env_spec"])["id"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return str(said.get("dataset_id") or "")


def _episodes(file: h5py.File) -> list[str]:
    """Names of the episodes, by their numbers."""
    numbers = [int(match[1]) for name in file if (match := _EPISODE.fullmatch(str(name)))]
    if not numbers:
        raise InputError(f"expected episodes, got {', '.join(file) or 'nothing'}")
    return [f"episode_{number}" for number in sorted(numbers)]


def _views(episode: h5py.Group, file: str, name: str, described: Description) -> list[View]:
    cameras = {
        camera: (layout, place)
        for camera, leaf in described.cameras.items()
        if (layout := _layout(leaf.space))
        for place in [_place(episode, leaf)]
    }
    ...
