"""Communication: active cells read from all cells."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.group_linear import projection


@final
class Communication(nn.Module):
    """Communication attention of RIMs (thesis, equation 3.18, with the heads of its code).

    A value is as wide as a cell's state; the heads' results are concatenated and projected back.

    Args:
        hidden: Width D of a cell's state.
        heads: Number of heads.
        key: Width of keys and queries per head.
        cells: Number K of cells, each with projections of its own; None if they share them.
        dropout: Probability of dropping a weight in training.
    """

    def __init__(
        self, hidden: int, *, heads: int, key: int, cells: int | None, dropout: float
    ) -> None:
        super().__init__()
        self.heads, self.scale = heads, key**-0.5
        self.query = projection(hidden, heads * key, cells)
        self.key = projection(hidden, heads * key, cells)
        self.value = projection(hidden, heads * hidden, cells)
        self.output = projection(heads * hidden, hidden, cells)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, active: Tensor) -> Tensor:
        """What to add to the states (B, K, D): zero where a cell is not `active` (B, K)."""
        query, key, value = (
            layer(hidden).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        weights = torch.softmax(query @ key.transpose(2, 3) * self.scale, dim=-1)
        weights = self.dropout(weights * active[:, None, :, None])
        return self.output((weights @ value).transpose(1, 2).flatten(2))
