"""The distribution that sampling planners search with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.planners.planner import Bounds


@final
@dataclass(frozen=True)
class TruncatedNormal:
    """Normal action sequences, truncated to the bounds so that none pile up on them.

    Attributes:
        mean: Mean before truncation, within the bounds. Shape (E, T, A).
        std: Standard deviation before truncation. Shape (E, T, A).
        bounds: Limits of every action.
        correlation: Correlation of the underlying noise between successive steps, in [0, 1).
    """

    mean: Tensor
    std: Tensor
    bounds: Bounds
    correlation: float = 0.0

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw `count` sequences per environment. Shape (E, N, T, A).

        The noise is mapped through the normal distribution function onto the quantiles within the
        bounds, so that no draw is rejected and neighbouring steps stay correlated.
        """
        noise = self._autoregressive(count, generator)
        mean, std = self.mean[:, None], self.std[:, None]
        below = torch.special.ndtr((self.bounds.low - mean) / std)
        above = torch.special.ndtr((self.bounds.high - mean) / std)
        quantile = below + torch.special.ndtr(noise) * (above - below)
        return self.bounds.clamp(mean + std * torch.special.ndtri(quantile))

    def _autoregressive(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal noise whose successive steps correlate. Shape (E, N, T, A)."""
        environments, *sequence = self.mean.shape
        noise = torch.randn(
            environments, count, *sequence, generator=generator, device=generator.device
        ).to(self.mean)
        innovation = math.sqrt(1.0 - self.correlation**2)
        for t in range(1, noise.shape[2]):
            noise[:, :, t] = self.correlation * noise[:, :, t - 1] + innovation * noise[:, :, t]
        return noise
