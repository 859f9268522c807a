"""What training minimises."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from worldmodel.clip import Clip


def mean_squared_error(predictions: Tensor, clip: Clip) -> Tensor:
    """Mean over the pixels of the recorded frames 1..T-1; `predictions` is (B, T-1, C, H, W).

    PredRNN's code; the paper (equation 6) sums. Frames that were not recorded do not count. Pixels
    that were not measured count as the 0 that they show: left free, a model fills them with
    whatever, and then feeds that to itself.
    """
    return _mean_over_recorded((predictions - clip.frames[:, 1:]).square(), clip)


def mean_absolute_error(predictions: Tensor, clip: Clip) -> Tensor:
    """As `mean_squared_error`, of the absolute differences."""
    return _mean_over_recorded((predictions - clip.frames[:, 1:]).abs(), clip)


def training_loss(
    predictions: Tensor,
    clip: Clip,
    auxiliaries: Mapping[str, Tensor],
    weight: float,
    absolute: float = 0.0,
) -> Tensor:
    """Squared error plus `weight` times the auxiliary terms (PredRNN-V2, equation 6).

    The absolute error beside it, `absolute` times, is the L1 + L2 loss of E3D-LSTM and MotionRNN.
    """
    loss = mean_squared_error(predictions, clip)
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
