"""RoboNet HDF5: one recording per file, several cameras, mp4 or JPEG inside.

Follows the public reader and writer, https://github.com/SudeepDasari/RoboNet
(`hdf5_loader.py`, `metadata_helper.py`) and https://github.com/SudeepDasari/visual_foresight
(`file_2_hdf5.py`). Actions are not normalised: see `worldmodel.data.clips.statistics`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import final

import h5py
import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.hdf5 import (
    LOOKED_INTO,
    find_dataset,
    find_group,
    groups_of,
    numeric_attribute,
    opened,
    read_all,
    text_attribute,
)
from worldmodel.data.files.pictures import decode_pictures
from worldmodel.data.files.video import Video
from worldmodel.data.formats.signals import matrix, numbered
from worldmodel.data.reader import Reader, Unit, one_per_file, undamaged
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals
from worldmodel.errors import InputError

SUFFIX = ".hdf5"

ACTION_NAMES = ("dx", "dy", "dz", "dyaw", "gripper")
"""Of a file that does not say: translations and rotation are deltas, the gripper is absolute."""

STATE_NAMES = ("x", "y", "z", "yaw", "gripper")
"""Of a file that does not say; positions are scaled to [0, 1] by the bounds, yaw is in radians."""

INSTRUCTION = "task"
"""Attribute of a file that says what was to be done; RoboNet's own files have none."""

DOMAIN_ATTRIBUTES = ("laboratory", "robot", "camera_configuration")
"""Where the domain is looked for, in this order; then in the file name, up to the first `_`."""


@final
class RoboNet(Reader):
    """RoboNet files in a folder and below it, or a single file.

    A recording is as long as its states, frames and actions + 1 all reach. The files of width 4
    whose `primitives` are `autograsp` let a fifth action be inferred, the gripper's upper or lower
    bound, whichever its next state is closer to.
    """

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether one of the first HDF5 files has RoboNet's groups."""
        return any(
            "env" in groups and "policy" in groups
            for groups in map(groups_of, map(folder.local, folder.named(SUFFIX)[:LOOKED_INTO]))
        )

    def units(self) -> Iterator[Unit]:
        """One per file."""
        return one_per_file(self.folder, self.folder.named(SUFFIX), f"*{SUFFIX} files")

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per file."""
        with opened(self.folder.local(unit.name)) as file:
            actions, states = _finite(file, "policy/actions"), _finite(file, "env/state")
            metadata = find_group(file, "metadata")
            names, units = _action_names(metadata, actions.shape[1])
            inferred = _is_autograsp(metadata, actions.shape[1])
            if inferred:
                _gripper_bounds(file)
            numbers = {name: n for n, name in enumerate(_cameras(file, metadata))}
            cameras, damaged = undamaged(
                numbers, lambda name: _camera(file, name, numbers[name], len(actions), len(states))
            )
            yield Recording(
                name=unit.name,
                file=unit.name,
                cameras=cameras,
                domain=_domain(metadata, unit.name),
                action_names=names,
                action_units=units,
                inferred_actions=ACTION_NAMES[4:] if inferred else (),
                state_names=_state_names(metadata, states.shape[1]),
                instruction=text_attribute(metadata, INSTRUCTION),
                all_cameras=tuple(numbers) if damaged else (),
            )
        yield from (Flaw.of(error, unit.name, unit.name) for error in damaged)

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some frames to RGB; OpenCV's BGR order never reaches the encoded bytes."""
        key = f"env/cam{camera.place['number']}_video"
        with opened(self.folder.local(recording.file)) as file:
            if _is_mp4(file):
                first = find_dataset(file, f"{key}/frames")
                video = Video(read_all(first).tobytes())
                if (video.height, video.width) != (camera.height, camera.width):
                    raise InputError(
                        f"declares pictures of {camera.height}x{camera.width}, "
                        f"holds {video.height}x{video.width}"
                    )
                pixels = video.frames(steps)
            else:
                first = find_dataset(file, f"{key}/frame0")
                keys = (f"{key}/frame{step}" for step in steps)
                stored = (read_all(find_dataset(file, key)).tobytes() for key in keys)
                pixels = decode_pictures(stored, steps, camera)
            reverse = text_attribute(first, "image_format") == "BGR"
        return Frames(pixels[..., ::-1].copy() if reverse else pixels)

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and states; the inferred gripper comes last."""
        with opened(self.folder.local(recording.file)) as file:
            actions = _finite(file, "policy/actions")[: camera.length - 1]
            states = _finite(file, "env/state")[: camera.length]
            if recording.inferred_actions:
                low, high = _gripper_bounds(file)
                gripper = np.where(states[1:, -1:] > (low + high) / 2, high, low)
                actions = np.hstack([actions, gripper]).astype(actions.dtype)
        return Signals(actions, states)


def _finite(file: h5py.File, key: str) -> np.ndarray:
    """Floats (T, D)."""
    dataset = find_dataset(file, key)
    if dataset.ndim != 2 or not np.issubdtype(dataset.dtype, np.floating):
        raise InputError(
            f"expected '{key}' to be floating point (T, D), got {dataset.dtype} {dataset.shape}"
        )
    return matrix(read_all(dataset), f"values of '{key}'")


def _camera(file: h5py.File, name: str, number: int, actions: int, states: int) -> Camera:
    """What is known of a camera, as far as frames, actions and states all reach."""
    count, height, width = _video_shape(file, number)
    length = min(states, count, actions + 1)
    if length < 2:
        raise InputError(
            f"expected at least 2 usable frames, got {states} states, {count} frames of camera "
            f"{number} and {actions} actions"
        )
    fps = _fps(find_group(file, "metadata"))
    return Camera(name, length, height, width, 3, fps, {"number": number})


def _action_names(metadata: h5py.Group, width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units."""
    declared, units = (text_attribute(metadata, f"action_{what}") for what in ("names", "units"))
    names = tuple(declared.split(",")) if declared else ACTION_NAMES[:width]
    if len(names) != width or (not declared and width in (1, 2, 3)):
        raise InputError(
            f"actions have width {width}; expected 0, 4 or 5, or a "
            f"metadata attribute 'action_names' with as many names, got {declared!r}"
        )
    return names, tuple(units.split(",")) if units else ("",) * width


def _cameras(file: h5py.File, metadata: h5py.Group) -> tuple[str, ...]:
    """Names of the cameras, `cam0` and so on where the file does not say."""
    count = int(numeric_attribute(find_group(file, "env"), "n_cams"))
    declared = tuple(text_attribute(metadata, "camera_names").split(","))
    present = sum(str(key).startswith("cam") for key in find_group(file, "env"))
    if not 0 < count <= present:
        raise InputError(f"expected cameras, declares {count} and holds {present}")
    return (
        declared
        if len(declared) == count and declared[0]
        else tuple(f"cam{number}" for number in range(count))
    )


def _state_names(metadata: h5py.Group, width: int) -> tuple[str, ...]:
    declared = tuple(text_attribute(metadata, "state_names").split(","))
    if len(declared) == width and declared[0]:
        return declared
    return STATE_NAMES if width == 5 else numbered("state", width)


def _fps(metadata: h5py.Group) -> float:
    return float(numeric_attribute(metadata, "fps")) if "fps" in metadata.attrs else 0.0


def _domain(metadata: h5py.Group, name: str) -> str:
    for key in DOMAIN_ATTRIBUTES:
        if (value := text_attribute(metadata, key)) not in ("", "none"):
            return value
    return PurePosixPath(name).stem.split("_")[0]


def _is_mp4(file: h5py.File) -> bool:
    encoding = text_attribute(find_group(file, "env"), "cam_encoding")
    if encoding not in ("mp4", "jpeg", "jpg"):
        raise InputError(
            f"expected attribute 'cam_encoding' of 'env' to be mp4 or jpeg, got {encoding!r}"
        )
    return encoding == "mp4"


def _video_shape(file: h5py.File, camera: int) -> tuple[int, int, int]:
    """Declared number of frames, height and width; of an mp4, not more frames than it holds."""
    key = f"env/cam{camera}_video"
    first = find_dataset(file, f"{key}/{'frames' if _is_mp4(file) else 'frame0'}")
    if first.dtype != np.uint8:
        raise InputError(f"expected '{first.name}' to be encoded bytes, uint8, got {first.dtype}")
    shape = numeric_attribute(first, "shape")
    if shape.shape != (3,) or shape[2] != 3:
        raise InputError(f"expected '{first.name}' to declare RGB frames (H, W, 3), got {shape}")
    if not _is_mp4(file):
        return len(find_group(file, key)), int(shape[0]), int(shape[1])
    count = int(numeric_attribute(first, "T"))
    held = len(Video(read_all(first).tobytes()))
    if held < count:
        raise InputError(f"camera {camera} declares {count} frames and holds {held}")
    return count, int(shape[0]), int(shape[1])


def _is_autograsp(metadata: h5py.Group, width: int) -> bool:
    return width == 4 and text_attribute(metadata, "primitives") == "autograsp"


def _gripper_bounds(file: h5py.File) -> tuple[float, float]:
    metadata = find_group(file, "metadata")
    low, high = (
        numeric_attribute(metadata, key)
        if key in metadata.attrs
        else _finite(file, f"env/{key}")[0]
        for key in ("low_bound", "high_bound")
    )
    return float(low.flat[-1]), float(high.flat[-1])
