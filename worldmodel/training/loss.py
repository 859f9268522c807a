"""What training minimises."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from worldmodel.clip import Clip

MOVED = 0.03
"""Change of a pixel, in any of its channels, from which on it counts as moving."""


def mean_squared_error(predictions: Tensor, clip: Clip, moving: float = 0.0) -> Tensor:
    """Mean over the pixels of the recorded frames 1..T-1; `predictions` is (B, T-1, C, H, W).

    PredRNN's code; the paper (equation 6) sums. Frames that were not recorded do not count. Pixels
    that were not measured count as the 0 that they show: left free, a model fills them with
    whatever, and then feeds that to itself.

    Args:
        predictions: Of frames 1..T-1.
        clip: What was recorded.
        moving: Additional weight of pixels that changed since the frame before, see `MOVED`.
    """
    errors = (predictions - clip.frames[:, 1:]).square()
    if moving:
        errors = errors * (1.0 + moving * moved(clip.frames))
    return _mean_over_recorded(errors, clip)


def moved(frames: Tensor) -> Tensor:
    """Which pixels of frames (B, T, C, H, W) moved. Shape (B, T-1, 1, H, W), Booleans."""
    return ((frames[:, 1:] - frames[:, :-1]).abs() > MOVED).any(dim=2, keepdim=True)


def mean_absolute_error(predictions: Tensor, clip: Clip) -> Tensor:
    """As `mean_squared_error`, of the absolute differences."""
    return _mean_over_recorded((predictions - clip.frames[:, 1:]).abs(), clip)


def training_loss(
    predictions: Tensor,
    clip: Clip,
    auxiliaries: Mapping[str, Tensor],
    weight: float,
    absolute: float = 0.0,
    moving: float = 0.0,
) -> Tensor:
    """Squared error plus `weight` times the auxiliary terms (PredRNN-V2, equation 6).

    The absolute error beside it, `absolute` times, is the L1 + L2 loss of E3D-LSTM and MotionRNN.
    Moving pixels have an additional weight of `moving` in the squared error.
    """
    loss = mean_squared_error(predictions, clip, moving)
    if absolute:
        loss = loss + absolute * mean_absolute_error(predictions, clip)
    if not auxiliaries:
        return loss
    return loss + weight * torch.stack(list(auxiliaries.values())).sum()


def _mean_over_recorded(errors: Tensor, clip: Clip) -> Tensor:
    """Mean of the errors (B, T-1, C, H, W) of the recorded frames 1..T-1."""
    means = errors.mean(dim=(2, 3, 4))
    recorded = clip.valid[:, 1:].to(means.dtype)
    return (means * recorded).sum() / recorded.sum().clamp_min(1.0)
