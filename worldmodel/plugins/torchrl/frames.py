"""Pictures as TorchRL's environments give them, as frames of models."""

from __future__ import annotations

import torch
from torch import Tensor

from worldmodel.errors import InputError


def to_frames(pixels: Tensor, what: str = "pixels") -> Tensor:
    """Frames (..., C, H, W) in [0, 1], of any number of leading dimensions.

    Args:
        pixels: uint8, (..., H, W, C) or (..., C, H, W); or floating point in [0, 1] in either
            order. C is 1 or 3.
        what: What to call them in an error.

    Raises:
        InputError: They are no pictures.
    """
    last = pixels.ndim >= 3 and pixels.shape[-1] in (1, 3)
    first = pixels.ndim >= 3 and pixels.shape[-3] in (1, 3)
    bytes_ = pixels.dtype == torch.uint8
    if not (last or first) or not (bytes_ or pixels.is_floating_point()):
        raise InputError(
            f"{what}: expected uint8 or floating-point pictures (..., H, W, C) or (..., C, H, W) "
            f"of 1 or 3 channels, got {pixels.dtype} {tuple(pixels.shape)}"
        )
    if last and (bytes_ or not first):
        pixels = pixels.movedim(-1, -3)
    return pixels / 255 if bytes_ else pixels
