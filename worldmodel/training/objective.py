"""What training minimises."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from worldmodel.clip import Clip


def mean_squared_error(predictions: Tensor, clip: Clip) -> Tensor:
    """Mean over the pixels of the recorded frames 1..T-1; `predictions` is (B, T-1, C, H, W).

    PredRNN's code; the paper (equation 6) sums. Frames that were not recorded do not count.
    """
    squared = (predictions - clip.frames[:, 1:]).square().mean(dim=(2, 3, 4))
    recorded = clip.valid[:, 1:].to(squared.dtype)
    return (squared * recorded).sum() / recorded.sum().clamp_min(1.0)


def training_loss(
    predictions: Tensor, clip: Clip, auxiliaries: Mapping[str, Tensor], weight: float
) -> Tensor:
    """Squared error plus `weight` times the auxiliary terms (PredRNN-V2, equation 6)."""
    loss = mean_squared_error(predictions, clip)
    if not auxiliaries:
        return loss
    return loss + weight * torch.stack(list(auxiliaries.values())).sum()
