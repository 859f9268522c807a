"""RoboNet HDF5: one recording per file, several cameras, mp4 or JPEG inside.

Follows the public reader and writer, https://github.com/SudeepDasari/RoboNet
(`hdf5_loader.py`, `metadata_helper.py`) and https://github.com/SudeepDasari/visual_foresight
(`file_2_hdf5.py`). Actions are not normalised: see `worldmodel.data.statistics`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import h5py
import numpy as np

from worldmodel.data.episodes import Episode, EpisodeSource
from worldmodel.data.hdf5 import (
    find_dataset,
    find_group,
    numeric_attribute,
    opened,
    read_finite,
    text_attribute,
)
from worldmodel.data.video import decode_jpeg, decode_mp4, encode_jpeg, encode_mp4
from worldmodel.errors import InputError

SUFFIX = ".hdf5"

ACTION_NAMES = ("dx", "dy", "dz", "dyaw", "gripper")
"""Of a file that does not say: translations and rotation are deltas, the gripper is absolute."""

DOMAIN_ATTRIBUTES = ("laboratory", "robot", "camera_configuration")
"""Where the domain is looked for, in this order; then in the file name, up to the first `_`."""

METADATA = (
    "camera_configuration",
    "policy_desc",
    "bin_type",
    "bin_insert",
    "contains_annotation",
    "robot",
    "gripper",
    "background",
    "action_space",
    "object_classes",
    "primitives",
    "camera_type",
    "object_batch",
)
"""Attributes that the format expects in every file."""

_BAD_FILES_NAMED = 5


@final
@dataclass(frozen=True)
class _Log:
    """What the scan learned about one camera of one file."""

    path: Path
    name: str
    domain: str
    action_names: tuple[str, ...]
    imputed: bool
    camera: int
    shape: tuple[int, int, int, int]
    length: int


@final
class RoboNet(EpisodeSource):
    """RoboNet files in a folder and below it, or a single file.

    Opening checks every file's structure and actions but decodes no video.

    Args:
        path: Folder or file.
        camera: Index of the camera to read, or "all" for one episode per file and camera.
        impute_gripper: Give the 4-wide actions of files whose `primitives` are `autograsp` a
            fifth, the gripper's upper or lower bound, whichever its next state is closer to.

    Raises:
        InputError: There is no file, some are damaged or lack the camera, or their actions differ.
    """

    def __init__(
        self,
        path: Path | str,
        camera: int | Literal["all"] = 0,
        impute_gripper: bool = False,
    ) -> None:
        root = Path(path)
        self._logs: list[_Log] = []
        bad = []
        paths = _paths(root)
        for file in paths:
            name = file.name if file == root else file.relative_to(root).as_posix()
            try:
                self._logs += _scan(file, name, camera, impute_gripper)
            except InputError as error:
                bad.append(str(error))
        if bad:
            more = "; ..." if len(bad) > _BAD_FILES_NAMED else ""
            reasons = "; ".join(bad[:_BAD_FILES_NAMED])
            raise InputError(f"{len(bad)} of {len(paths)} files cannot be used: {reasons}{more}")
        _check_same_actions(self._logs)

    @property
    def names(self) -> tuple[str, ...]:
        """File names relative to the folder."""
        return tuple(log.name for log in self._logs)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the A action dimensions."""
        return self._logs[0].action_names

    def domain(self, index: int) -> str:
        """Laboratory or robot of an episode."""
        return self._logs[index].domain

    def length(self, index: int) -> int:
        """Number of usable frames."""
        return self._logs[index].length

    def actions(self, index: int) -> np.ndarray:
        """Actions of an episode, float32 (T-1, A)."""
        log = self._logs[index]
        with opened(log.path) as file:
            return _actions(file, log)

    def episode(self, index: int) -> Episode:
        """Read one episode and decode its video."""
        log = self._logs[index]
        with opened(log.path) as file:
            frames, actions = _frames(file, log), _actions(file, log)
        return Episode(log.name, frames, actions, log.action_names, log.domain, log.camera)


def write_episode(
    path: Path | str,
    cameras: Sequence[np.ndarray],
    actions: np.ndarray,
    states: np.ndarray,
    *,
    action_names: Sequence[str] = ACTION_NAMES,
    low_bound: np.ndarray,
    high_bound: np.ndarray,
    metadata: Mapping[str, str | bool | int | float],
    encoding: Literal["mp4", "jpeg"] = "mp4",
) -> None:
    """Write one recording; the file appears whole or not at all, replacing one of that name.

    Args:
        path: File to write; its folder must exist.
        cameras: RGB frames of each camera, uint8. Each of shape (T, H, W, 3).
        actions: Action t takes frame t to frame t+1. Shape (T-1, A).
        states: Robot state at each frame. Shape (T, S).
        action_names: One name per action dimension, without commas.
        low_bound: Lower bound of the state. Shape (S,).
        high_bound: Upper bound of the state. Shape (S,).
        metadata: Attributes of the recording; the format's own (`METADATA`) are "none" if left
            out, others are kept. `laboratory`, else `robot`, is what the reader takes as domain.
        encoding: One H.264 video per camera, or one JPEG picture per frame.

    Raises:
        InputError: Shapes or types disagree, a number is not finite, or the path cannot be
            written.
    """
    path = Path(path)
    actions, states = np.asarray(actions, np.float32), np.asarray(states, np.float32)
    low, high = np.asarray(low_bound, np.float32), np.asarray(high_bound, np.float32)
    _check_recording(path, cameras, actions, states, action_names, low, high)
    with _replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file["file_version"] = "0.1.0"
        file["policy/actions"] = actions
        file["env/state"] = states
        file["env/low_bound"] = low[None]
        file["env/high_bound"] = high[None]
        file["env"].attrs.update({"n_cams": len(cameras), "cam_encoding": encoding})
        for index, frames in enumerate(cameras):
            _write_camera(file.create_group(f"env/cam{index}_video"), frames, encoding)
        file.create_group("misc")
        attributes = {"action_names": ",".join(action_names)} | dict(metadata)
        file.create_group("metadata").attrs.update(dict.fromkeys(METADATA, "none") | attributes)


def _paths(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise InputError(f"{root}: expected a folder of *{SUFFIX} files or one such file, got none")
    paths = sorted(root.rglob(f"*{SUFFIX}"))
    if not paths:
        raise InputError(
            f"{root}: expected *{SUFFIX} files, found {len(list(root.iterdir()))} other entries"
        )
    return paths


def _scan(path: Path, name: str, camera: int | Literal["all"], impute_gripper: bool) -> list[_Log]:
    with opened(path) as file:
        actions, states = read_finite(file, "policy/actions"), read_finite(file, "env/state")
        metadata = find_group(file, "metadata")
        autograsp = text_attribute(metadata, "primitives") == "autograsp"
        imputed = impute_gripper and autograsp and actions.shape[1] == 4
        names = ACTION_NAMES if imputed else _action_names(metadata, actions.shape[1])
        if imputed:
            _gripper_bounds(file)
        logs = []
        for index in _camera_indices(file, camera):
            shape = _video_shape(file, index)
            length = min(len(states), shape[0], len(actions) + 1)
            if length < 2:
                raise InputError(
                    f"{path}: expected at least 2 usable frames, got {len(states)} states, "
                    f"{shape[0]} frames of camera {index} and {len(actions)} actions"
                )
            domain = _domain(metadata, path)
            logs.append(_Log(path, name, domain, names, imputed, index, shape, length))
        return logs


def _check_same_actions(logs: Sequence[_Log]) -> None:
    first = logs[0]
    for log in logs:
        if log.action_names != first.action_names:
            raise InputError(
                f"expected the same actions in all files, got width {len(first.action_names)} "
                f"{first.action_names} in {first.path} and width {len(log.action_names)} "
                f"{log.action_names} in {log.path}"
            )


def _action_names(metadata: h5py.Group, width: int) -> tuple[str, ...]:
    declared = text_attribute(metadata, "action_names")
    names = tuple(declared.split(",")) if declared else ACTION_NAMES[:width]
    if len(names) != width or (not declared and width < 4):
        raise InputError(
            f"{metadata.file.filename}: actions have width {width}; expected 4 or 5, or a "
            f"metadata attribute 'action_names' with as many names, got {declared!r}"
        )
    return names


def _domain(metadata: h5py.Group, path: Path) -> str:
    for key in DOMAIN_ATTRIBUTES:
        if (value := text_attribute(metadata, key)) not in ("", "none"):
            return value
    return path.stem.split("_")[0]


def _camera_indices(file: h5py.File, camera: int | Literal["all"]) -> range:
    count = int(numeric_attribute(find_group(file, "env"), "n_cams"))
    chosen = range(count) if camera == "all" else range(camera, camera + 1)
    if not chosen or not 0 <= chosen[0] < count:
        raise InputError(f"{file.filename}: no camera {camera} among the file's {count}, from 0")
    return chosen


def _is_mp4(file: h5py.File) -> bool:
    encoding = text_attribute(find_group(file, "env"), "cam_encoding")
    if encoding not in ("mp4", "jpeg", "jpg"):
        raise InputError(
            f"{file.filename}: expected attribute 'cam_encoding' of 'env' to be mp4 or jpeg, "
            f"got {encoding!r}"
        )
    return encoding == "mp4"


def _video_shape(file: h5py.File, camera: int) -> tuple[int, int, int, int]:
    """Declared (T, H, W, 3)."""
    key = f"env/cam{camera}_video"
    first = find_dataset(file, f"{key}/{'frames' if _is_mp4(file) else 'frame0'}")
    if first.dtype != np.uint8:
        raise InputError(
            f"{file.filename}: expected '{first.name}' to be encoded bytes, uint8, "
            f"got {first.dtype}"
        )
    count = int(numeric_attribute(first, "T")) if _is_mp4(file) else len(find_group(file, key))
    shape = numeric_attribute(first, "shape")
    if shape.shape != (3,) or shape[2] != 3 or count < 0:
        raise InputError(
            f"{file.filename}: expected '{first.name}' to declare RGB frames (H, W, 3), "
            f"got {count} of {shape}"
        )
    return count, int(shape[0]), int(shape[1]), 3


def _frames(file: h5py.File, log: _Log) -> np.ndarray:
    """Decode the usable frames to RGB; OpenCV's BGR order never reaches the encoded bytes."""
    key = f"env/cam{log.camera}_video"
    origin = f"{log.path}, camera {log.camera}"
    if _is_mp4(file):
        first = find_dataset(file, f"{key}/frames")
        frames = decode_mp4(first[:].tobytes(), log.shape, origin)[: log.length]
    else:
        first = find_dataset(file, f"{key}/frame0")
        pictures = []
        for t in range(log.length):
            data = find_dataset(file, f"{key}/frame{t}")[:].tobytes()
            pictures.append(decode_jpeg(data, log.shape[1:], f"{origin}, frame {t}"))
        frames = np.stack(pictures)
    return frames[..., ::-1].copy() if text_attribute(first, "image_format") == "BGR" else frames


def _actions(file: h5py.File, log: _Log) -> np.ndarray:
    actions = read_finite(file, "policy/actions")[: log.length - 1]
    if not log.imputed:
        return actions
    low, high = _gripper_bounds(file)
    closed = read_finite(file, "env/state")[1 : log.length, -1:] > (low + high) / 2
    return np.hstack([actions, np.where(closed, high, low)]).astype(np.float32)


def _gripper_bounds(file: h5py.File) -> tuple[float, float]:
    metadata = find_group(file, "metadata")
    low, high = (
        numeric_attribute(metadata, key)
        if key in metadata.attrs
        else read_finite(file, f"env/{key}")[0]
        for key in ("low_bound", "high_bound")
    )
    return float(low.flat[-1]), float(high.flat[-1])


def _check_recording(
    path: Path,
    cameras: Sequence[np.ndarray],
    actions: np.ndarray,
    states: np.ndarray,
    action_names: Sequence[str],
    low: np.ndarray,
    high: np.ndarray,
) -> None:
    if not cameras or len(cameras[0]) < 2:
        raise InputError(f"{path}: expected at least one camera with at least 2 frames")
    time, width = len(cameras[0]), states.shape[-1]
    for index, frames in enumerate(cameras):
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[::3] != (time, 3):
            raise InputError(
                f"{path}: expected frames of camera {index} to be uint8 ({time}, H, W, 3), "
                f"got {frames.dtype} {frames.shape}"
            )
    expected = {
        "actions": (actions, (time - 1, len(action_names))),
        "states": (states, (time, width)),
        "low_bound": (low, (width,)),
        "high_bound": (high, (width,)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise InputError(
                f"{path}: expected finite {name} of shape {shape}, got shape {array.shape}"
            )


def _write_camera(group: h5py.Group, frames: np.ndarray, encoding: str) -> None:
    if encoding == "mp4":
        group["frames"] = np.frombuffer(encode_mp4(frames), np.uint8)
        group["frames"].attrs["T"] = len(frames)
    else:
        for t, frame in enumerate(frames):
            group[f"frame{t}"] = np.frombuffer(encode_jpeg(frame), np.uint8)
    for dataset in group.values():
        dataset.attrs.update({"shape": frames.shape[1:], "image_format": "RGB"})


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its name when the block succeeds."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            temporary = Path(folder) / "unfinished"
            yield temporary
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error})") from error
