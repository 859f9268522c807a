"""Goals in all the forms that a user has them in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.frames import as_frames

Goal = Tensor | np.ndarray | Path | str | Sequence["Goal"]
"""One picture: a file, uint8 (H, W, C), or frames (E, C, H, W) in [0, 1]; or several to pass
through in their order: a list of those, uint8 (G, H, W, C), or frames (E, G, C, H, W)."""


def as_goals(goal: Goal, channels: int = 3) -> Tensor:
    """Pictures to pass through, values in [0, 1]. Shape (E, G, C, H, W).

    Args:
        goal: See `Goal`.
        channels: Of a picture that is read from a file: 1 for gray, 3 for RGB.

    Raises:
        InputError: It is no picture, its file cannot be read, or several do not fit each other.
    """
    if isinstance(goal, (str, Path)):
        return as_frames(_read(goal, channels))[:, None]
    if isinstance(goal, Tensor) and goal.ndim == 5:
        return as_frames(goal.flatten(0, 1)).unflatten(0, goal.shape[:2])
    if isinstance(goal, np.ndarray) and goal.ndim == 4:
        goal = list(goal)
    if isinstance(goal, (Tensor, np.ndarray)):
        return as_frames(goal)[:, None]
    if not isinstance(goal, Sequence) or isinstance(goal, (bytes, bytearray)) or not goal:
        raise InputError(
            "goal: expected a picture (a file, uint8 (H, W, C), or frames (E, C, H, W)) "
            f"or a list of them, got {goal!r:.80}"
        )
    each = [as_goals(one, channels) for one in goal]
    shapes = [(len(one), *one.shape[2:]) for one in each]
    if len(set(shapes)) > 1:
        raise InputError(
            f"goal: expected pictures of one shape (E, C, H, W), got {', '.join(map(str, shapes))}"
        )
    return torch.cat(each, dim=1)


def _read(path: Path | str, channels: int) -> np.ndarray:
    """A picture of a file, uint8 (H, W, C)."""
    if not str(path):
        raise InputError("goal: expected a picture's file, got an empty name")
    name = str(path) if len(str(path)) <= _LONGEST else f"{str(path)[:_LONGEST]}..."
    try:
        with Image.open(path) as picture:
            pixels = np.array(_plain(picture, channels, name))
    except InputError:
        raise
    except _DAMAGE as error:
        reason = (isinstance(error, OSError) and error.strerror) or _in_one_line(error, path)
        raise InputError(
            f"goal: expected a picture in {name}, cannot read it ({reason})"
        ) from error
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


_LONGEST = 100

_DAMAGE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def _in_one_line(error: Exception, path: Path | str) -> str:
    return " ".join(str(error).replace(str(path), "it").split())


def _plain(picture: Image.Image, channels: int, name: str) -> Image.Image:
    """With 8 bits per channel, of one channel or three.

    Raises:
        InputError: It is no single opaque picture of 8 or 16 bits.
    """
    if (frames := getattr(picture, "n_frames", 1)) > 1:
        raise InputError(f"goal: expected a single picture in {name}, got {frames} frames")
    if picture.has_transparency_data:
        opacity = picture.convert("RGBA").getchannel("A")
        if opacity.getextrema() != (255, 255):
            raise InputError(f"goal: expected an opaque picture in {name}, got a transparent one")
    if picture.mode in ("I", "F"):
        raise InputError(
            f"goal: expected 8 or 16 bits per channel in {name}, got 32 (mode {picture.mode})"
        )
    if picture.mode.startswith("I;16"):
        scaled = np.asarray(picture).astype(np.float64) * (255 / 65535)
        picture = Image.fromarray(scaled.round().astype(np.uint8))
    return picture.convert("L" if channels == 1 else "RGB")
