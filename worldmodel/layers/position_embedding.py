"""Where a feature stands in its map."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


def coordinates(height: int, width: int, low: float, high: float) -> Tensor:
    """Row and column of every position, each from `low` to `high`. Shape (2, height, width)."""
    rows, columns = torch.linspace(low, high, height), torch.linspace(low, high, width)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))


@final
class PositionEmbedding(nn.Module):
    """Adds a learned linear map of the distances to the four borders (Locatello et al., 2020).

    Args:
        features: Channels of the map.
        grid: Its height and width (h, w).
    """

    distances: Tensor

    def __init__(self, features: int, grid: tuple[int, int]) -> None:
        super().__init__()
        start = coordinates(*grid, 0.0, 1.0)
        distances = torch.cat((start, 1 - start)).movedim(0, -1)
        self.register_buffer("distances", distances, persistent=False)
        self.linear = nn.Linear(4, features)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, features, h, w) to maps of the same shape."""
        return maps + self.linear(self.distances).movedim(-1, 0)
