"""From the pictures of cameras and simulators to the frames of models."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError


def as_frames(seen: Tensor | np.ndarray) -> Tensor:
    """What was seen, as frames (E, C, H, W) in [0, 1].

    Args:
        seen: Such frames, or pictures as bytes: uint8 (E, H, W, C), or one of (H, W, C).

    Raises:
        InputError: It is neither.
    """
    if isinstance(seen, Tensor):
        if seen.ndim != 4 or not seen.is_floating_point():
            raise InputError(
                "frames: expected floating-point frames of shape (E, C, H, W), "
                f"got {seen.dtype} {tuple(seen.shape)}"
            )
        return seen
    if seen.dtype != np.uint8 or seen.ndim not in (3, 4) or seen.shape[-1] not in (1, 3):
        raise InputError(
            "picture: expected uint8 of shape (H, W, C) or (E, H, W, C) with 1 or 3 channels, "
            f"got {seen.dtype} {seen.shape}"
        )
    pixels = torch.from_numpy(np.ascontiguousarray(seen)).movedim(-1, -3) / 255
    return pixels if pixels.ndim == 4 else pixels[None]
