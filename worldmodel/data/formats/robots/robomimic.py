"""robomimic HDF5: many demonstrations per file, pictures as raw arrays.

Follows https://robomimic.github.io/docs/datasets/overview.html and the public writer,
https://github.com/ARISE-Initiative/robomimic (`scripts/dataset_states_to_obs.py`). The files of
LIBERO, MimicGen, RoboCasa and Isaac Lab have the same structure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, final

import h5py
import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.hdf5 import LOOKED_INTO, damage_told, find_group, opened, text_attribute
from worldmodel.data.format import Format
from worldmodel.data.formats.robots.hdf5_episodes import (
    Layout,
    array_in,
    numbers_in,
    picture_layout,
    raw_pictures,
)
from worldmodel.data.formats.signals import numbered
from worldmodel.data.reader import Reader, Unit, one_per_file
from worldmodel.data.recording import Camera, Flaw, Frames, Part, Recording, Signals
from worldmodel.errors import InputError

SUFFIXES = (".hdf5", ".h5")

ARM_STATES = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos")
"""Taken as the state where they were observed; all low-dimensional observations elsewhere."""

DELTA_ACTIONS = ("dx", "dy", "dz", "droll", "dpitch", "dyaw", "gripper")
"""Of one arm under operational space control; scaled to [-1, 1], the rotation is axis-angle."""

MASKS: Mapping[str, Part] = {"train": "train", "valid": "validation", "test": "test"}
"""Parts by the names of lists of demonstrations; other lists are subsets."""

_NUMBERED = re.compile(r"(\D*)(\d+)")


@final
@dataclass(frozen=True)
class _Origin:
    """What a file says of all its demonstrations.

    Attributes:
        domain: Robot and environment, as far as they are known.
        delta: Whether a single arm is moved by displacements.
        fps: Steps per second; 0 if unknown.
        instruction: What was to be done; empty if unknown, or if demonstrations say it.
        parts: Of the demonstrations that were put into one, or wrongly into several.
    """

    domain: str
    delta: bool
    fps: float
    instruction: str
    parts: Mapping[str, set[Part]]


@final
class Robomimic(Reader):
    """robomimic files in a folder and below it, or a single file.

    The cameras are the observations that are pictures: uint8 (T, H, W, C). The last action leads
    nowhere that was observed, and is dropped.
    """

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether one of the first HDF5 files holds demonstrations."""
        return any(_holds_demonstrations(folder, file) for file in _files(folder)[:LOOKED_INTO])

    def units(self) -> Iterator[Unit]:
        """One per file."""
        return one_per_file(self.folder, _files(self.folder), f"files *{' or *'.join(SUFFIXES)}")

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per demonstration."""
        with opened(self.folder.local(unit.name)) as file:
            with damage_told():
                names = _demonstrations(file)
                origin = _origin(file, unit.name)
            for name in names:
                try:
                    with damage_told():
                        yield _recording(find_group(file, f"data/{name}"), unit.name, name, origin)
                except InputError as error:
                    yield Flaw.of(error, unit.name, f"{unit.name}/{name}")

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Read some pictures."""
        with opened(self.folder.local(recording.file)) as file:
            pictures = array_in(find_group(file, recording.place["group"]), f"obs/{camera.name}")
            return Frames(raw_pictures(pictures, steps))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and low-dimensional observations, without the last action."""
        with opened(self.folder.local(recording.file)) as file:
            demonstration = find_group(file, recording.place["group"])
            return Signals(
                numbers_in(demonstration, ["actions"], camera.length)[:-1],
                numbers_in(demonstration, recording.place["states"], camera.length),
            )


def _files(folder: Folder) -> list[str]:
    return folder.named(*SUFFIXES)


def _holds_demonstrations(folder: Folder, file: str) -> bool:
    try:
        with opened(folder.local(file)) as content:
            return any(str(name).startswith("demo") for name in find_group(content, "data"))
    except InputError:
        return False


def _demonstrations(file: h5py.File) -> list[str]:
    """Names of the demonstrations, by their numbers."""
    names = [str(name) for name in find_group(file, "data")]
    if not names:
        raise InputError("expected demonstrations in 'data', got none")
    return sorted(names, key=_by_number)


def _by_number(name: str) -> tuple[str, int, str]:
    numbered = _NUMBERED.fullmatch(name)
    return (numbered[1], int(numbered[2]), name) if numbered else (name, 0, name)


def _origin(file: h5py.File, name: str) -> _Origin:
    data = find_group(file, "data")
    arguments = _json(data, "env_args")
    settings = _object(arguments, "env_kwargs")
    robots = settings.get("robots") or []
    robots = robots if isinstance(robots, list) else [robots]
    frequency = settings.get("control_freq")
    known = [" ".join(map(str, robots)), str(arguments.get("env_name") or "")]
    return _Origin(
        domain="/".join(filter(None, known)) or PurePosixPath(name).stem,
        delta=len(robots) == 1 and _moves_by_displacements(settings),
        fps=float(frequency) if isinstance(frequency, int | float) else 0.0,
        instruction=str(_json(data, "problem_info").get("language_instruction") or ""),
        parts=_parts(file),
    )


def _moves_by_displacements(settings: Mapping[str, Any]) -> bool:
    """Whether one arm's pose is controlled, and relative to where it is.

    Since robosuite 1.5 the controllers of body parts are in `body_parts`, those of arms sometimes
    one level deeper; before, there was one controller.
    """
    controller = _object(settings, "controller_configs")
    if "body_parts" in controller:
        parts = _object(controller, "body_parts")
        arms = _object(parts, "arms") or parts
        controller = _object(arms, next(iter(arms))) if len(arms) == 1 else {}
    relative = controller.get("control_delta") is True or controller.get("input_type") == "delta"
    return controller.get("type") == "OSC_POSE" and relative


def _parts(file: h5py.File) -> dict[str, set[Part]]:
    parts: dict[str, set[Part]] = {}
    if "mask" not in file:
        return parts
    masks = find_group(file, "mask")
    for key in MASKS.keys() & set(masks):
        for name in array_in(masks, key)[:].ravel():
            text = name.decode() if isinstance(name, bytes) else str(name)
            parts.setdefault(text, set()).add(MASKS[key])
    return parts


def _recording(demonstration: h5py.Group, file: str, name: str, origin: _Origin) -> Recording:
    observed = find_group(demonstration, "obs")
    cameras, keys = _cameras(observed), _state_keys(observed)
    length = _length(demonstration)
    for camera in cameras:
        pictures = len(array_in(observed, camera))
        if pictures != length:
            raise InputError(
                f"expected as many pictures of {camera} as actions, got {pictures} and {length}"
            )
    actions = numbers_in(demonstration, ["actions"], length)
    states = {key: numbers_in(observed, [key], length).shape[1] for key in keys}
    width = actions.shape[1]
    names = DELTA_ACTIONS if origin.delta and width == 7 else numbered("action", width)
    return Recording(
        name=f"{file}/{name}",
        file=file,
        cameras=tuple(
            Camera(camera, length, *layout[:3], fps=origin.fps)
            for camera, layout in cameras.items()
        ),
        domain=origin.domain,
        action_names=names,
        action_units=("",) * len(names),
        state_names=tuple(column for key in keys for column in numbered(key, states[key])),
        part=_part(origin, name),
        instruction=origin.instruction or str(_json(demonstration, "ep_meta").get("lang") or ""),
        place={"group": f"data/{name}", "states": [f"obs/{key}" for key in keys]},
    )


def _length(demonstration: h5py.Group) -> int:
    """Number of actions, which is that of observations."""
    length = len(array_in(demonstration, "actions"))
    declared = demonstration.attrs.get("num_samples", length)
    if np.any(declared != length):
        raise InputError(f"expected as many actions as 'num_samples', got {length} and {declared}")
    return length


def _cameras(observed: h5py.Group) -> dict[str, Layout]:
    """Layouts of the observations that are pictures."""
    found = {
        key: layout
        for key, item in _arrays(observed).items()
        if item.dtype == np.uint8 and (layout := picture_layout(item.shape[1:]))
    }
    if not found:
        there = (f"{key} {item.dtype} {item.shape[1:]}" for key, item in _arrays(observed).items())
        raise InputError(
            "expected observations that are pictures, uint8 (T, H, W, 3 or 1), "
            f"got {', '.join(there) or 'none'}"
        )
    return found


def _state_keys(observed: h5py.Group) -> list[str]:
    arrays = _arrays(observed)
    if all(key in arrays for key in ARM_STATES):
        return list(ARM_STATES)
    return [key for key, item in arrays.items() if item.ndim == 2 and item.dtype.kind == "f"]


def _arrays(observed: h5py.Group) -> dict[str, h5py.Dataset]:
    items = ((key, observed.get(key)) for key in sorted(observed))
    return {key: item for key, item in items if isinstance(item, h5py.Dataset) and item.shape}


def _part(origin: _Origin, name: str) -> Part | Literal[""]:
    parts = origin.parts.get(name, set())
    if len(parts) > 1:
        raise InputError(f"expected to be in one part, is listed in {', '.join(sorted(parts))}")
    return next(iter(parts)) if parts else ""


def _json(item: h5py.Group, key: str) -> dict[str, Any]:
    """An attribute that is a JSON object; empty if there is none."""
    text = text_attribute(item, key)
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected attribute '{key}' to be JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"expected attribute '{key}' to be a JSON object, got {text[:40]}")
    return value


def _object(described: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = described.get(key)
    return value if isinstance(value, dict) else {}


FORMAT = Format("robomimic", "robomimic HDF5", Robomimic)
