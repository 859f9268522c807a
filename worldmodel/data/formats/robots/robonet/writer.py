"""Writes RoboNet HDF5, one file per recording; see `reader`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, final

import h5py
import numpy as np

from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.files.video import FRAME_RATE, encode_mp4
from worldmodel.data.formats.robots.robonet.reader import ACTION_NAMES, INSTRUCTION, SUFFIX
from worldmodel.data.recording import Camera, Signals
from worldmodel.data.writer import Footage, Writer
from worldmodel.errors import InputError
from worldmodel.whole_file import written

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
        path: File to write; missing folders are made.
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
    actions, states, low, high = map(np.asarray, (actions, states, low_bound, high_bound))
    _check_cameras(path, cameras)
    recorded = [Camera(str(n), *frames.shape) for n, frames in enumerate(cameras)]
    names = {"action_names": ",".join(action_names)}
    signals = Signals(_floating(actions), _floating(states))
    _check_signals(path, signals, len(cameras[0]), len(action_names), low, high)

    def frames(camera: Camera) -> Iterator[np.ndarray]:
        return iter(cameras[int(camera.name)])

    _write(path, recorded, frames, signals, low, high, names | dict(metadata), encoding)


@final
class RoboNetWriter(Writer):
    """Writes `NAME.hdf5` per recording; files that are there are taken to be whole."""

    def add(self, footage: Footage) -> None:
        """Write one recording; its states become their own bounds."""
        recording, signals = footage.recording, footage.signals
        cameras = recording.cameras
        path = self.folder / f"{recording.name.removesuffix(SUFFIX)}{SUFFIX}"
        if path.exists():
            return
        low, high = signals.states.min(axis=0), signals.states.max(axis=0)
        _check_signals(path, signals, len(footage), len(recording.action_names), low, high)
        names = [camera.name for camera in cameras]
        for name in (*recording.action_names, *recording.state_names, *names):
            if "," in name:
                raise InputError(f"{path}: expected names without commas, got {name!r}")
        metadata = {
            "action_names": ",".join(recording.action_names),
            "action_units": ",".join(recording.action_units),
            "state_names": ",".join(recording.state_names),
            "camera_names": ",".join(names),
            "fps": cameras[0].fps,
            "robot": recording.domain,
            INSTRUCTION: recording.instruction,
        }
        _write(path, cameras, footage.frames, signals, low, high, metadata, "mp4")

    def finish(self) -> None:
        """Nothing is left to do."""


def _write(
    path: Path,
    cameras: Sequence[Camera],
    frames: Callable[[Camera], Iterator[np.ndarray]],
    signals: Signals,
    low: np.ndarray,
    high: np.ndarray,
    metadata: Mapping[str, str | bool | int | float],
    encoding: str,
) -> None:
    rate = float(metadata.get("fps") or FRAME_RATE)
    with written(path) as temporary, h5py.File(temporary, "w") as file:
        file["file_version"] = "0.1.0"
        file["policy/actions"] = signals.actions
        file["env/state"] = signals.states
        file["env/low_bound"] = low[None]
        file["env/high_bound"] = high[None]
        file["env"].attrs.update({"n_cams": len(cameras), "cam_encoding": encoding})
        for index, camera in enumerate(cameras):
            group = file.create_group(f"env/cam{index}_video")
            if encoding == "mp4":
                group["frames"] = np.frombuffer(encode_mp4(frames(camera), rate), np.uint8)
                group["frames"].attrs["T"] = len(signals.states)
            else:
                for t, frame in enumerate(frames(camera)):
                    group[f"frame{t}"] = np.frombuffer(encode_jpeg(frame), np.uint8)
            for dataset in group.values():
                dataset.attrs.update(
                    {"shape": (camera.height, camera.width, 3), "image_format": "RGB"}
                )
        file.create_group("misc")
        file.create_group("metadata").attrs.update(dict.fromkeys(METADATA, "none") | dict(metadata))


def _floating(values: np.ndarray) -> np.ndarray:
    """float32 or float64; whatever else there is becomes float32."""
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)


def _check_cameras(path: Path, cameras: Sequence[np.ndarray]) -> None:
    if not cameras or len(cameras[0]) < 2:
        raise InputError(f"{path}: expected at least one camera with at least 2 frames")
    for index, frames in enumerate(cameras):
        if (
            frames.dtype != np.uint8
            or frames.ndim != 4
            or frames.shape[::3] != (len(cameras[0]), 3)
        ):
            raise InputError(
                f"{path}: expected frames of camera {index} to be uint8 "
                f"({len(cameras[0])}, H, W, 3), got {frames.dtype} {frames.shape}"
            )


def _check_signals(
    path: Path, signals: Signals, time: int, width: int, low: np.ndarray, high: np.ndarray
) -> None:
    bounds = signals.states.shape[-1:]
    expected = {
        "actions": (signals.actions, (time - 1, width)),
        "states": (signals.states, (time, *bounds)),
        "low_bound": (low, bounds),
        "high_bound": (high, bounds),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise InputError(
                f"{path}: expected finite {name} of shape {shape}, got shape {array.shape}"
            )
