"""Bilinear samples of maps at positions that the network chooses."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sampled(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """What stands at these rows and columns, between positions interpolated, zero outside.

    Args:
        maps: Shape (B, C, h, w).
        rows: In positions, 0 to h-1 within the maps. Shape (B, H, W).
        columns: In positions, 0 to w-1 within the maps. Shape (B, H, W).

    Returns:
        Shape (B, C, H, W).
    """
    height, width = maps.shape[2:]
    places = torch.stack(((2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1), dim=-1)
    return nn.functional.grid_sample(maps, places, align_corners=False)
