"""Writes Minari data sets through the library; see `reader`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, final

import h5py
import numpy as np
from gymnasium import spaces

from worldmodel.data.files.hdf5 import DAMAGE
from worldmodel.data.formats.robots.minari.metadata import (
    ACTION_NAMES,
    ACTION_UNITS,
    CAMERA_NAMES,
    STATE_NAMES,
)
from worldmodel.data.formats.robots.minari.reader import ARRAYS, DESCRIPTION, INSTRUCTION
from worldmodel.data.optional import library
from worldmodel.data.recording import Camera, Recording
from worldmodel.data.writer import Footage, Writer
from worldmodel.errors import InputError

STATE = "state"
"""Key of the robot's state among the observations."""

PIECE_BYTES = 2**26
"""Pixels that are in memory at once, at most; a step of all cameras always is."""

_FINISHED = "recording"
_VERSION = re.compile(r"-v\d+$")


@final
class MinariWriter(Writer):
    """Writes one data set, `FOLDER/data`, whose pictures are kept without loss.

    `minari.MinariDataset(FOLDER / "data")` reads it, and so does `minari.load_dataset` where the
    folder lies in `MINARI_DATASETS_PATH` and is called as the library wants, such as `pushing-v0`.
    Numbers that no recording has are made up: rewards are 0, and every episode ends by truncation.
    Recordings that are there, by their names, are taken to be whole; one that is unfinished is
    written anew.
    """

    makes_videos = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._data = folder / "data"
        self._storage: Any = None
        self._described: Mapping[str, Any] = {}
        self._finished: list[str] = []

    def add(self, footage: Footage) -> None:
        """Write one recording; all must have the same cameras, actions and states."""
        recording = footage.recording
        with self._refusals():
            keys = _keys(recording)
            self._open(recording, keys)
            if recording.name in self._finished:
                return
            number = len(self._finished)
            self._drop(number)
            for piece in _pieces(footage, keys):
                episode = library("minari.data_collector.episode_buffer").EpisodeBuffer
                self._storage.update_episodes([episode(id=number, **piece)])
            self._storage.update_episode_metadata([_attributes(recording)], [number])
            self._finished.append(recording.name)

    def finish(self) -> None:
        """Write how many episodes and steps there are; what is unfinished goes."""
        if self._storage is None:
            return
        with self._refusals():
            count = len(self._finished)
            self._drop(count)
            steps = sum(
                int(episode["total_steps"])
                for episode in self._storage.get_episode_metadata(range(count))
            )
            self._storage.update_metadata({"total_episodes": count, "total_steps": steps})

    def _open(self, recording: Recording, keys: Mapping[str, Camera]) -> None:
        """Make the storage, or take over the one that is there if it is of such recordings."""
        described = {
            CAMERA_NAMES: {key: camera.name for key, camera in keys.items()},
            ACTION_NAMES: list(recording.action_names),
            ACTION_UNITS: list(recording.action_units),
            STATE_NAMES: list(recording.state_names),
        }
        observation, action = _spaces(recording, keys)
        if self._storage is None:
            storages = library("minari.dataset.minari_storage").MinariStorage
            if (self._data / DESCRIPTION).exists():
                _check_same(storages.read_raw_metadata(self._data), described)
                self._storage = storages.read(self._data)
                self._finished = _finished(self._data / ARRAYS)
            else:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._storage = storages.new(self._data, observation, action, jpeg_encoding=False)
                self._storage.update_metadata(described | _identity(self.folder))
            self._described = described
        _check_same(self._described, described)
        _check_same(
            {
                "observations": self._storage.observation_space,
                "actions": self._storage.action_space,
            },
            {"observations": observation, "actions": action},
        )

    def _drop(self, number: int) -> None:
        """Remove an episode, if it is there."""
        with h5py.File(self._data / ARRAYS, "a") as file:
            if (name := f"episode_{number}") in file:
                del file[name]

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except (*DAMAGE, AssertionError) as error:
            raise InputError(f"{self._data}: cannot be written ({error})") from error


def _check_same(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, value in wanted.items():
        if there.get(key) != value:
            raise InputError(
                f"expected {key} as in the recordings that are there, {there.get(key)}, got {value}"
            )


def _identity(folder: Path) -> dict[str, str]:
    """What the library calls the data set, which must end in a version."""
    name = re.sub(r"[^-\w]", "_", folder.absolute().name)
    return {
        "dataset_id": name if _VERSION.search(name) else f"{name}-v0",
        "minari_version": library("minari").__version__,
    }


def _keys(recording: Recording) -> dict[str, Camera]:
    """Cameras by their keys among the observations."""
    cameras = recording.cameras
    keys = {camera.name.strip("/").replace("/", "_") or "image": camera for camera in cameras}
    if len(keys) < len(cameras) or STATE in keys:
        raise InputError(
            f"expected cameras of different names, none of them '{STATE}', "
            f"got {', '.join(camera.name for camera in cameras)}"
        )
    return keys


def _spaces(recording: Recording, keys: Mapping[str, Camera]) -> tuple[spaces.Dict, spaces.Box]:
    observed: dict[str, spaces.Space] = {
        key: spaces.Box(0, 255, _shape(camera), np.uint8) for key, camera in keys.items()
    }
    if recording.state_names:
        observed[STATE] = _numbers(len(recording.state_names))
    return spaces.Dict(observed), _numbers(len(recording.action_names))


def _numbers(width: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, (width,), np.float64)


def _shape(camera: Camera) -> tuple[int, int, int]:
    return camera.height, camera.width, 3


def _pieces(footage: Footage, keys: Mapping[str, Camera]) -> Iterator[dict[str, Any]]:
    """What the library wants of an episode, a few steps at a time."""
    frames = {key: footage.frames(camera) for key, camera in keys.items()}
    end = len(footage) - 1
    steps = max(1, PIECE_BYTES // sum(math.prod(_shape(camera)) for camera in keys.values()))
    for start in range(0, end, steps):
        stop = min(start + steps, end)
        last = stop == end
        observed = {
            key: _stacked(
                islice(frames[key], stop + last - start), camera, range(start, stop + last)
            )
            for key, camera in keys.items()
        }
        if footage.recording.state_names:
            observed[STATE] = footage.signals.states[start : stop + last]
        yield {
            "observations": observed,
            "actions": footage.signals.actions[start:stop],
            "rewards": np.zeros(stop - start),
            "terminations": np.zeros(stop - start, bool),
            "truncations": last & (np.arange(start, stop) == end - 1),
        }
    if extra := [keys[key].name for key, rest in frames.items() if next(rest, None) is not None]:
        raise InputError(f"expected {len(footage)} pictures of {', '.join(extra)}, got more")


def _stacked(frames: Iterable[np.ndarray], camera: Camera, steps: range) -> np.ndarray:
    pictures, shape = list(frames), _shape(camera)
    if len(pictures) < len(steps):
        raise InputError(f"expected more pictures than {steps.start + len(pictures)}")
    for step, picture in zip(steps, pictures, strict=True):
        if picture.dtype != np.uint8 or picture.shape != shape:
            raise InputError(
                f"expected pictures uint8 {shape}, "
                f"got {picture.dtype} {picture.shape} at frame {step}"
            )
    return np.stack(pictures)


def _attributes(recording: Recording) -> dict[str, Any]:
    return {
        "total_steps": recording.length - 1,
        "fps": recording.cameras[0].fps,
        "domain": recording.domain,
        INSTRUCTION: recording.instruction,
        _FINISHED: recording.name,
    }


def _finished(path: Path) -> list[str]:
    """Names of the recordings that are there as a whole, in their order."""
    with h5py.File(path, "a") as file:
        names = (file[f"episode_{number}"].attrs.get(_FINISHED) for number in range(len(file)))
        return [str(name) for name in names if name is not None]
