"""Noise that is drawn anew in training and stays the same in evaluation."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class KeptNoise(nn.Module):
    """Standard normal vectors: fresh for every sample in training, one kept draw in evaluation.

    The kept draw is made when the module is, and saved with the weights. A mean of zero in its
    place would make evaluation as deterministic, but vectors that differ in their noise alone
    would become equal and remain so.

    Args:
        shape: Of one sample.
    """

    kept: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("kept", torch.randn(shape))

    def forward(self, batch: int) -> Tensor:
        """Noise for a batch. Shape (B, *shape)."""
        expanded = self.kept.expand(batch, *self.kept.shape)
        return torch.randn_like(expanded) if self.training else expanded
