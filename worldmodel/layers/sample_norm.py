"""Layer normalisation over a whole sample."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn


@final
class SampleNorm(nn.Module):
    """Normalises each sample over all of its dimensions, without learned scale or shift."""

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, ...) to features of the same shape."""
        return nn.functional.layer_norm(x, x.shape[1:])
