"""What is known of a recording before its pictures are decoded, and what is read from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, final

import numpy as np

from worldmodel.errors import InputError

Part = Literal["train", "validation", "test"]

Place = Mapping[str, Any]
"""Whatever a format needs to find a view again; only what JSON can hold."""

LONGEST_SIDE = 16_384
"""Pixels; what declares larger pictures is damaged."""


@final
@dataclass(frozen=True)
class View:
    """One camera's view of one recording.

    Attributes:
        name: Recording, unique within its data set; all its cameras share it. Of a file, the path
            relative to the folder; of one of several in a file, that and `/` and its own name.
        camera: Name of the camera; empty where there can be only one.
        file: File that holds it, or the first of several, relative to the folder.
        length: Usable frames T, at least 2.
        height: Of a picture, in pixels.
        width: Of a picture, in pixels.
        channels: 3 for RGB, 1 for gray levels and for fields such as rain.
        domain: Laboratory, robot, season or kind of event.
        action_names: One per action dimension; empty without actions. See
            `worldmodel.data.clips.actions` for what a name says.
        action_units: One per action dimension, "" where unknown; empty without actions.
        inferred_actions: Names of more actions that the format can infer, see `Signals`.
        state_names: One per state dimension; empty without states.
        fps: Frames per second; 0 if unknown.
        part: Where its publishers put it; "" if they did not say.
        start: Time of the first frame, in seconds since 1970 UTC; NaN if unknown.
        task: What was to be done, in words.
        place: What the format needs to read it.

    Raises:
        InputError: A number is out of range, or names and units differ in number.
    """

    name: str
    camera: str
    file: str
    length: int
    height: int
    width: int
    channels: int
    domain: str
    action_names: tuple[str, ...] = ()
    action_units: tuple[str, ...] = ()
    inferred_actions: tuple[str, ...] = ()
    state_names: tuple[str, ...] = ()
    fps: float = 0.0
    part: Part | Literal[""] = ""
    start: float = math.nan
    task: str = ""
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
        if len(self.action_units) != len(self.action_names):
            raise InputError(
                f"expected one unit per action, got {self.action_units} for {self.action_names}"
            )
        if len(set(self.action_names)) < len(self.action_names):
            raise InputError(f"expected actions of different names, got {self.action_names}")
        texts = (self.name, self.camera, self.file, self.domain, self.task, *self.action_names)
        for text in (*texts, *self.action_units, *self.inferred_actions, *self.state_names):
            if not is_unicode(text):
                raise InputError(f"expected names to be valid text, got {text!r}")
        if not (math.isfinite(self.fps) and self.fps >= 0):
            raise InputError(f"expected frames per second of at least 0, got {self.fps}")


@final
@dataclass(frozen=True)
class Flaw:
    """Why a recording, or a whole file, cannot be used.

    Attributes:
        file: Relative to the folder.
        episode: Name of the recording; "" if all of the file is meant.
        reason: One sentence, the same for all that share the reason.
    """

    file: str
    episode: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.file, self.episode, self.reason)))


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


def by_recording(views: Sequence[View]) -> dict[str, list[int]]:
    """Indices of the views of each recording, in order."""
    indices: dict[str, list[int]] = {}
    for index, view in enumerate(views):
        indices.setdefault(view.name, []).append(index)
    return indices


def is_unicode(text: str) -> bool:
    """Whether a text can be written down: parts of damaged files may not."""
    return text.encode(errors="replace").decode() == text


def no_signals(length: int) -> Signals:
    """Signals of T frames without actions and states."""
    return Signals(np.zeros((length - 1, 0), np.float32), np.zeros((length, 0), np.float32))
