"""BAIR robot pushing: TFRecords of a Sawyer arm among objects, 30 steps of two cameras each.

The layout is that of `softmotion30_44k/{train,test}/traj_0_to_255.tfrecords`, as predrnn-pytorch's
`bair.py` and tensorflow_datasets' `bair_robot_pushing_small` read it: a record has raw pictures
`T/image_main/encoded` and `T/image_aux1/encoded`, and `T/action` and `T/endeffector_pos` for T from
0. What actions mean is told by febert/visual_mpc, which recorded them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.tfrecord import (
    Example,
    first_example,
    read_example,
    scan_records,
)
from worldmodel.data.format import Format
from worldmodel.data.reader import Reader, Unit, one_per_file
from worldmodel.data.recording import Camera, Flaw, Frames, Part, Recording, Signals
from worldmodel.errors import InputError

SUFFIX = ".tfrecords"

CAMERAS = ("image_main", "image_aux1")

HEIGHT, WIDTH, CHANNELS = 64, 64, 3

ACTION_NAMES = ("dx", "dy", "close_steps", "up_steps")
"""A displacement, and for how many commands to close the gripper and to lift it; 0 for not at all.

A command takes two steps and is recorded at both: each moves the gripper by half of it.
"""

ACTION_UNITS = ("m", "m", "commands", "commands")

STATE_NAMES = ("x", "y", "z")

PARTS: Mapping[str, Part] = {"train": "train", "test": "test"}
"""By the name of the folder."""

_STEP = re.compile(r"(\d{1,4})/.+")
_NUMBERS = re.compile(r"traj_(\d+)_to_(\d+)\.tfrecords")


@final
class BAIR(Reader):
    """Files in a folder or below it; a recording is called by its file and its number in it."""

    libraries = ("tfrecord", "crc32c")

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether the first file is of this layout; damaged, it can be of no other."""
        try:
            for file in folder.named(SUFFIX)[:1]:
                example = first_example(folder.local(file))
                return example is None or f"0/{CAMERAS[0]}/encoded" in example
        except InputError:
            return True
        return False

    def units(self) -> Iterator[Unit]:
        """One per file."""
        return one_per_file(self.folder, self.folder.named(SUFFIX), f"*{SUFFIX} files")

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per record."""
        read = partial(_recording, unit.name)
        path = self.folder.local(unit.name)
        yield from scan_records(path, unit.name, read, _promised(unit.name))

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Copy some pictures, whose record is read as a whole."""
        example = self._example(recording)
        return Frames(np.stack([_picture(example, camera.name, step) for step in steps]))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions, but for the last, and positions of the gripper."""
        return _signals(self._example(recording))

    def _example(self, recording: Recording) -> Example:
        return read_example(self.folder.local(recording.file), recording.place["offset"])


def _recording(file: str, name: str, offset: int, example: Example) -> Recording:
    length = len(_signals(example).states)
    for camera in CAMERAS:
        for step in range(length):
            _picture(example, camera, step)
    return Recording(
        name=name,
        file=file,
        cameras=tuple(Camera(camera, length, HEIGHT, WIDTH, CHANNELS) for camera in CAMERAS),
        domain="sawyer",
        action_names=ACTION_NAMES,
        action_units=ACTION_UNITS,
        state_names=STATE_NAMES,
        part=PARTS.get(PurePosixPath(file).parent.name, ""),
        place={"offset": offset},
    )


def _promised(file: str) -> int:
    """Records of a file by its name; 1 if it does not say."""
    numbers = _NUMBERS.fullmatch(PurePosixPath(file).name)
    return int(numbers[2]) - int(numbers[1]) + 1 if numbers else 1


def _signals(example: Example) -> Signals:
    numbers = (int(found[1]) for found in map(_STEP.fullmatch, example) if found)
    steps = range(1 + max(numbers, default=-1))
    actions, states = (
        np.array([_vector(example, f"{step}/{key}", size) for step in steps], np.float32)
        for key, size in (("action", len(ACTION_NAMES)), ("endeffector_pos", len(STATE_NAMES)))
    )
    return Signals(actions[:-1], states)


def _vector(example: Example, key: str, size: int) -> np.ndarray:
    values = example.floats(key)
    if len(values) != size:
        raise InputError(f"expected '{key}' to have {size} values, got {len(values)}")
    return values


def _picture(example: Example, camera: str, step: int) -> np.ndarray:
    """A raw picture, read-only uint8 (H, W, C)."""
    key, size = f"{step}/{camera}/encoded", HEIGHT * WIDTH * CHANNELS
    stored = example.strings(key)
    if len(stored) != 1 or len(stored[0]) != size:
        raise InputError(f"expected '{key}' to be a picture of {size} bytes")
    return np.frombuffer(stored[0], np.uint8).reshape(HEIGHT, WIDTH, CHANNELS)


FORMAT = Format("bair", "BAIR pushing", BAIR, extra="worldmodel[logs]")
