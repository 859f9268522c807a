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
from typing import NamedTuple, final

import h5py
import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.hdf5 import numeric_attribute, text_attribute
from worldmodel.data.files.pictures import decode_picture, picture_size
from worldmodel.data.formats.robots.hdf5_episodes import (
    array_in,
    columns,
    group_in,
    numbers_in,
    opened_file,
    raw_pictures,
    told,
)
from worldmodel.data.formats.robots.minari.metadata import (
    Camera,
    Description,
    Leaf,
    read_description,
)
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.recording import Flaw, Frames, Signals, View
from worldmodel.errors import InputError

ARRAYS, DESCRIPTION = "main_data.hdf5", "metadata.json"

_EPISODE = re.compile(r"episode_(\d+)")


class _Film(NamedTuple):
    pictures: h5py.Dataset
    jpeg: bool


@final
class Minari(Reader):
    """Minari data sets in a folder and below it.

    The cameras are the observations that are pictures, boxes of uint8 (H, W, C) or (C, H, W),
    stored as JPEG or raw. The states are the observations that are vectors of floating point
    numbers. Names, units, frames per second, domain and task are read as `MinariWriter` adds them.
    """

    title = "Minari"
    libraries = ("minari",)

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
        described = read_description(self.folder, _beside(unit.name))
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


def _views(episode: h5py.Group, file: str, name: str, described: Description) -> list[View]:
    films = {camera.name: _film(episode, camera) for camera in described.cameras}
    length = len(next(iter(films.values())).pictures)
    for camera, film in films.items():
        if len(film.pictures) != length:
            raise InputError(
                f"expected as many pictures of {camera} as of others, "
                f"got {len(film.pictures)} and {length}"
            )
    action_names = _names(episode, described.actions, length - 1, "action", described.action_names)
    state_names = _names(episode, described.states, length, "state", described.state_names)
    units = described.action_units
    return [
        View(
            name=f"{file}/{name}",
            camera=camera.name,
            file=file,
            length=length,
            height=camera.layout.height,
            width=camera.layout.width,
            channels=camera.layout.channels,
            domain=text_attribute(episode, "domain") or described.environment,
            action_names=action_names,
            action_units=units if len(units) == len(action_names) else ("",) * len(action_names),
            state_names=state_names,
            fps=float(numeric_attribute(episode, "fps")) if "fps" in episode.attrs else 0.0,
            task=text_attribute(episode, "task"),
            place={
                "episode": name,
                "key": camera.key,
                "jpeg": films[camera.name].jpeg,
                "actions": [leaf.key for leaf in described.actions],
                "states": [leaf.key for leaf in described.states],
            },
        )
        for camera in described.cameras
    ]


def _film(episode: h5py.Group, camera: Camera) -> _Film:
    """Where the pictures of a camera are; the head of the first says the size of JPEG."""
    pictures = array_in(episode, camera.key)
    if pictures.dtype == np.uint8 and pictures.shape[1:] == camera.shape:
        return _Film(pictures, jpeg=False)
    if len(pictures) == 0:
        raise InputError(f"expected pictures in '{camera.key}', got none")
    size, expected = picture_size(_bytes(pictures, 0), camera.key), camera.layout[:3]
    if size != expected:
        raise InputError(f"expected pictures {expected} in '{camera.key}', got {size}")
    return _Film(pictures, jpeg=True)


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
        names += [leaf.name] if leaf.name and width == 1 else columns(leaf.name or whole, width)
    return declared if len(declared) == len(names) else tuple(names)
