"""Short ways to make what is written in tests."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from worldmodel.data.recording import Camera, Recording, Signals
from worldmodel.data.writer import Footage


def footage(
    films: Mapping[str, np.ndarray], signals: Signals, fps: float = 0.0, **known: Any
) -> Footage:
    """A recording whose pictures (T, H, W, 3) are all in memory.

    Args:
        films: Pictures by name of the camera.
        signals: Actions and states.
        fps: Frames per second.
        known: What else is known of the recording.
    """
    length = len(signals.states)
    cameras = tuple(
        Camera(name, length, *frames.shape[1:], fps=fps) for name, frames in films.items()
    )
    recording = Recording(file="", cameras=cameras, **known)
    return Footage(recording, signals, lambda camera: iter(films[camera.name]))


def film_of(footage: Footage, camera: str) -> np.ndarray:
    """All pictures of a camera, uint8 (T, H, W, 3)."""
    named = next(each for each in footage.recording.cameras if each.name == camera)
    return np.stack(list(footage.frames(named)))


def encode_png(frame: np.ndarray) -> bytes:
    """A picture without loss, uint8 (H, W, 3) or (H, W, 1)."""
    buffer = io.BytesIO()
    Image.fromarray(frame if frame.shape[2] == 3 else frame[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()
