"""Goals in all the forms that a user has them in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
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
        return as_frames(_read(Path(goal), channels))[:, None]
    if isinstance(goal, Tensor) and goal.ndim == 5:
        return as_frames(goal.flatten(0, 1)).unflatten(0, goal.shape[:2])
    if isinstance(goal, np.ndarray) and goal.ndim == 4:
        goal = list(goal)
    if isinstance(goal, (Tensor, np.ndarray)):
        return as_frames(goal)[:, None]
    if not isinstance(goal, Sequence) or not goal:
        raise InputError(
            "goal: expected a picture (a file, uint8 (H, W, C), or frames (E, C, H, W)) "
            f"or a list of them, got {goal!r:.80}"
        )
    each = [as_goals(one, channels) for one in goal]
    if len({one.shape for one in each}) > 1:
        shapes = ", ".join(str(tuple(one.shape[2:])) for one in each)
        raise InputError(f"goal: expected pictures of one shape (C, H, W), got {shapes}")
    return torch.cat(each, dim=1)


def _read(path: Path, channels: int) -> np.ndarray:
    try:
        picture = iio.imread(path, plugin="pillow", mode="L" if channels == 1 else "RGB")
    except (OSError, ValueError, SyntaxError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"goal: expected a picture in {path}, cannot read it ({reason})"
        ) from error
    return picture[:, :, None] if picture.ndim == 2 else picture
