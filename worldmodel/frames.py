"""From the pictures of cameras and simulators to the frames of models."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError


def as_frames(seen: Tensor | np.ndarray) -> Tensor:
    """What was seen, as frames (E, C, H, W) in [0, 1].

    Args:
        seen: Such frames, or one picture as bytes, uint8 (H, W, C).

    Raises:
        InputError: It is neither.
    """
    if isinstance(seen, Tensor):
        return _checked(seen)
    if not isinstance(seen, np.ndarray):
        raise InputError(f"picture: expected an array of uint8 (H, W, C), got {seen!r:.80}")
    if seen.dtype != np.uint8 or seen.ndim != 3 or seen.shape[-1] not in (1, 3):
        raise InputError(
            "picture: expected uint8 of shape (H, W, C) with 1 or 3 channels, "
            f"got {seen.dtype} {seen.shape}"
        )
    return (torch.from_numpy(np.ascontiguousarray(seen)).movedim(-1, -3) / 255)[None]


def _checked(frames: Tensor) -> Tensor:
    if frames.ndim != 4 or not frames.is_floating_point():
        raise InputError(
            "frames: expected floating-point frames of shape (E, C, H, W), "
            f"got {frames.dtype} {tuple(frames.shape)}"
        )
    if not frames.numel():
        raise InputError(f"frames: expected at least one, got shape {tuple(frames.shape)}")
    low, high = (float(bound) for bound in torch.aminmax(frames))
    if not 0.0 <= low <= high <= 1.0:
        raise InputError(f"frames: expected values in [0, 1], got {low:g} to {high:g}")
    return frames.float()
