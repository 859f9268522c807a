"""What is known of a recording before its pictures are decoded, and what is read from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, final

import numpy as np

from worldmodel.errors import InputError

Part = Literal["train", "validation", "test"]

Place = Mapping[str, Any]
"""Whatever a format needs to find something again; only what JSON can hold."""

LONGEST_SIDE = 16_384
"""Pixels; what declares larger pictures is damaged."""


@final
@dataclass(frozen=True)
class Camera:
    """One of the cameras of a recording.

    Attributes:
        name: Unique within the recording; empty where there can be only one.
        length: Usable frames T, at least 2; those of one recording's cameras may differ.
        height: Of a picture, in pixels.
        width: Of a picture, in pixels.
        channels: 3 for RGB, 1 for gray levels and for fields such as rain.
        fps: Frames per second; 0 if unknown.
        place: What the format needs to find its pictures, beyond the place of the recording.

    Raises:
        InputError: A number is out of range.
    """

    name: str
    length: int
    height: int
    width: int
    channels: int
    fps: float = 0.0
    place: Place = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.length < 2:
            raise InputError(f"expected at least 2 usable frames, got {self.length}")
        if not (0 < self.height <= LONGEST_SIDE and 0 < self.width <= LONGEST_SIDE):
            raise InputError(
                f"expected pictures of 1 to {LONGEST_SIDE} pixels a side, "
                f"got {self.height}x{self.width}"
            )
        if self.channels not in (1, 3):
            raise InputError(f"expected pictures of 1 or 3 channels, got {self.channels}")
        if not (math.isfinite(self.fps) and self.fps >= 0):
            raise InputError(f"expected frames per second of at least 0, got {self.fps}")


@final
@dataclass(frozen=True)
class Recording:
    """What a robot, a radar or whoever else logged at once, with all cameras.

    Attributes:
        name: Unique within its data set. Of a file, the path relative to the folder; of one of
            several in a file, that and `/` and its own name.
        file: File that holds it, or the first of several, relative to the folder.
        cameras: At least one, of different names.
        domain: Laboratory, robot, season or kind of event.
        action_names: One per action dimension; empty without actions. See
            `worldmodel.data.clips.actions` for what a name says.
        action_units: One per action dimension, "" where unknown; empty without actions.
        inferred_actions: Names of more actions that the format can infer, see `Signals`.
        state_names: One per state dimension; empty without states.
        part: Where its publishers put it; "" if they did not say.
        start: Time of the first frame, in seconds since 1970 UTC; NaN if unknown.
        instruction: What was to be done, in words.
        all_cameras: Names of all its cameras, where some of them cannot be used; empty otherwise.
        place: What the format needs to find it.
        version: Something that differs when its files do; whoever scans sets it.

    Raises:
        InputError: Names and units differ in number, or a name is no text or comes twice.
    """

    name: str
    file: str
    cameras: tuple[Camera, ...]
    domain: str
    action_names: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    inferred_actions: tuple[str, ...] = ()
    state_names: tuple[str, ...] = ()
    part: Part | Literal[""] = ""
    start: float = math.nan
    instruction: str = ""
    all_cameras: tuple[str, ...] = ()
    place: Place = field(default_factory=dict)
    version: str = ""

    @property
    def length(self) -> int:
        """Frames that all its cameras have."""
        return min(camera.length for camera in self.cameras)

    def __post_init__(self) -> None:
        if len(self.action_units) != len(self.action_names):
            raise InputError(
                f"expected one unit per action, got {self.action_units} for {self.action_names}"
            )
        cameras = tuple(camera.name for camera in self.cameras)
        for what, names in (("actions", self.action_names), ("cameras", cameras)):
            if len(set(names)) < len(names):
                raise InputError(f"expected {what} of different names, got {', '.join(names)}")
        if not cameras:
            raise InputError("expected a camera, got none")
        texts = (self.name, self.file, self.domain, self.instruction, *cameras, *self.action_names)
        for text in (*texts, *self.action_units, *self.inferred_actions, *self.state_names):
            if not is_unicode(text):
                raise InputError(f"expected names to be valid text, got {text!r}")


class View(NamedTuple):
    """One camera of one recording."""

    recording: Recording
    camera: Camera


@final
@dataclass(frozen=True)
class Flaw:
    """Why a recording, one of its cameras, or a whole file cannot be used.

    Attributes:
        file: Relative to the folder.
        recording: Its name; "" if all of the file is meant.
        reason: One sentence, the same for all that share the reason.
        camera: Its name; "" if all of the recording is meant.
    """

    file: str
    recording: str
    reason: str
    camera: str = ""

    @classmethod
    def of(cls, error: InputError, file: str = "", recording: str = "") -> Flaw:
        """What an error tells.

        Args:
            error: Names file and recording itself, or else:
            file: The file to blame.
            recording: The recording that cannot be used.
        """
        reason = str(InputError(error.reason, frame=error.frame))
        return cls(error.file or file, error.recording or recording, reason, error.camera)

    @property
    def error(self) -> InputError:
        """The same, to be raised."""
        return InputError(self.reason, file=self.file, recording=self.recording, camera=self.camera)

    def __str__(self) -> str:
        return str(self.error)


class Signals(NamedTuple):
    """What was recorded beside the pictures, float32 or float64 as recorded, and finite.

    Attributes:
        actions: Action t takes frame t to frame t+1. Shape (T-1, A); inferred ones come last, and
            are used only where more actions are asked for than were recorded.
        states: Robot state at each frame. Shape (T, S).
    """

    actions: np.ndarray
    states: np.ndarray


class Frames(NamedTuple):
    """Decoded pictures.

    Attributes:
        pixels: uint8, RGB or one channel; 0 where missing. Shape (n, H, W, C).
        missing: True where nothing was measured; None if everything was. Shape (n, H, W).
    """

    pixels: np.ndarray
    missing: np.ndarray | None = None


def is_unicode(text: str) -> bool:
    """Whether a text can be written down: parts of damaged files may not."""
    return text.encode(errors="replace").decode() == text


def no_signals(length: int) -> Signals:
    """Signals of T frames without actions and states."""
    return Signals(np.zeros((length - 1, 0), np.float32), np.zeros((length, 0), np.float32))
