"""Minari data sets: many episodes in one HDF5 file, described by spaces of Gymnasium.

Follows the public library, https://github.com/Farama-Foundation/Minari (`dataset/minari_storage.py`
and `dataset/_storages/hdf5_storage.py`), which also turns the description into spaces. Its own
reading of episodes decodes all pictures of an episode at once, and makes the environment, that is,
runs code that the data names, where spaces are not described; so arrays are read here, in the
library's layout, and such data sets are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import final

import h5py
import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.hdf5 import (
    damage_told,
    find_group,
    numeric_attribute,
    opened,
    text_attribute,
)
from worldmodel.data.files.pictures import decode_pictures, picture_size
from worldmodel.data.formats.robots.hdf5_episodes import (
    array_in,
    numbers_in,
    raw_pictures,
)
from worldmodel.data.formats.robots.minari.metadata import (
    Description,
    Leaf,
    Pictures,
    read_description,
)
from worldmodel.data.formats.signals import numbered
from worldmodel.data.reader import Reader, Unit, check_any
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals
from worldmodel.errors import InputError

ARRAYS, DESCRIPTION = "main_data.hdf5", "metadata.json"

INSTRUCTION = "task"
"""Attribute of an episode that the library does not know, and keeps."""

_EPISODE = re.compile(r"episode_(\d+)")


@final
class Minari(Reader):
    """Minari data sets in a folder and below it.

    The cameras are the observations that are pictures, boxes of uint8 (H, W, C) or (C, H, W),
    stored as JPEG or raw. The states are the observations that are vectors of floating point
    numbers. Names, units, frames per second, domain and instruction are read as `MinariWriter` adds
    them.
    """

    libraries = ("minari",)

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a file of the library's name."""
        return bool(_files(folder))

    def units(self) -> Iterator[Unit]:
        """One per data set."""
        files = _files(self.folder)
        check_any(self.folder, files, ARRAYS)
        return (Unit(file, (file, _beside(file))) for file in files)

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per episode."""
        described = read_description(self.folder, _beside(unit.name))
        with opened(self.folder.local(unit.name)) as file:
            with damage_told():
                names = _episodes(file)
            if len(names) < described.episodes:
                reason = f"{described.episodes} episodes are listed and {len(names)} are there"
                yield Flaw(unit.name, "", reason)
            for name in names:
                try:
                    with damage_told():
                        yield _recording(find_group(file, name), unit.name, name, described)
                except InputError as error:
                    yield Flaw.of(error, unit.name, f"{unit.name}/{name}")

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Read some pictures, and decode those that are stored as JPEG."""
        with opened(self.folder.local(recording.file)) as file:
            episode = find_group(file, recording.place["episode"])
            pictures = array_in(episode, camera.place["key"])
            if not camera.place["jpeg"]:
                return Frames(raw_pictures(pictures, steps))
            stored = (_bytes(pictures, step) for step in steps)
            return Frames(decode_pictures(stored, steps, camera))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """All actions, and states."""
        with opened(self.folder.local(recording.file)) as file:
            episode = find_group(file, recording.place["episode"])
            return Signals(
                numbers_in(episode, recording.place["actions"], camera.length - 1),
                numbers_in(episode, recording.place["states"], camera.length),
            )


def _files(folder: Folder) -> list[str]:
    return [file for file in folder.files if PurePosixPath(file).name == ARRAYS]


def _beside(file: str) -> str:
    return PurePosixPath(file).with_name(DESCRIPTION).as_posix()


def _episodes(file: h5py.File) -> list[str]:
    """Names of the episodes, by their numbers."""
    numbers = [int(match[1]) for name in file if (match := _EPISODE.fullmatch(str(name)))]
    if not numbers:
        raise InputError(f"expected episodes, got {', '.join(map(str, file)) or 'nothing'}")
    return [f"episode_{number}" for number in sorted(numbers)]


def _recording(episode: h5py.Group, file: str, name: str, described: Description) -> Recording:
    fps = float(numeric_attribute(episode, "fps")) if "fps" in episode.attrs else 0.0
    cameras = tuple(_camera(episode, pictures, fps) for pictures in described.cameras)
    length = cameras[0].length
    for camera in cameras:
        if camera.length != length:
            raise InputError(
                f"expected as many pictures of {camera.name} as of others, "
                f"got {camera.length} and {length}"
            )
    action_names = _names(episode, described.actions, length - 1, "action", described.action_names)
    state_names = _names(episode, described.states, length, "state", described.state_names)
    units = described.action_units
    return Recording(
        name=f"{file}/{name}",
        file=file,
        cameras=cameras,
        domain=text_attribute(episode, "domain") or described.environment,
        action_names=action_names,
        action_units=units if len(units) == len(action_names) else ("",) * len(action_names),
        state_names=state_names,
        instruction=text_attribute(episode, INSTRUCTION),
        place={
            "episode": name,
            "actions": [leaf.key for leaf in described.actions],
            "states": [leaf.key for leaf in described.states],
        },
    )


def _camera(episode: h5py.Group, described: Pictures, fps: float) -> Camera:
    """What is known of a camera; the head of the first picture says the size of JPEG."""
    pictures, key = array_in(episode, described.key), described.key
    expected = described.layout[:3]
    jpeg = pictures.dtype != np.uint8 or pictures.shape[1:] != described.shape
    if jpeg and not len(pictures):
        raise InputError(f"expected pictures in '{key}', got none")
    if jpeg and (size := picture_size(_bytes(pictures, 0))) != expected:
        raise InputError(f"expected pictures {expected} in '{key}', got {size}")
    place = {"key": key, "jpeg": jpeg}
    return Camera(described.name, len(pictures), *expected, fps=fps, place=place)


def _bytes(pictures: h5py.Dataset, step: int) -> bytes:
    """A compressed picture; where all are of one length, the library makes them a table."""
    row = pictures[step]
    if not isinstance(row, np.ndarray) or row.dtype != np.uint8 or row.ndim != 1:
        raise InputError(
            f"expected pictures as described, or JPEG, got {pictures.dtype} {pictures.shape}"
        )
    return row.tobytes()


def _names(
    episode: h5py.Group, those: Iterable[Leaf], length: int, whole: str, declared: tuple[str, ...]
) -> tuple[str, ...]:
    """A name for every column of some numbers, all of which are checked."""
    names: list[str] = []
    for leaf in those:
        width = numbers_in(episode, [leaf.key], length).shape[1]
        names += [leaf.name] if leaf.name and width == 1 else numbered(leaf.name or whole, width)
    return declared if len(declared) == len(names) else tuple(names)
