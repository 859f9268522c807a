"""Linear maps of many vectors: one map for each of them, or one that they share."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn


@final
class GroupLinear(nn.Module):
    """As many linear maps as there are vectors, the g-th for the g-th vector.

    Weights start at 0.01 times a standard normal draw, as in the thesis code.

    Args:
        groups: Number G of maps.
        inputs: Width of each vector.
        outputs: Width of each result.
        bias: Add one.
    """

    def __init__(self, groups: int, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(groups, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(groups, outputs)) if bias else None

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (..., G, inputs) to (..., G, outputs)."""
        mapped = torch.einsum("...gi,gio->...go", vectors, self.weight)
        return mapped if self.bias is None else mapped + self.bias


def projection(inputs: int, outputs: int, groups: int | None) -> nn.Module:
    """A linear map without bias of vectors (..., G, inputs), one for each or, if None, shared."""
    if groups is None:
        return nn.Linear(inputs, outputs, bias=False)
    return GroupLinear(groups, inputs, outputs)


def uniform_(layer: GroupLinear, width: int) -> None:
    """Redraw weights and biases from U(-1/sqrt(width), 1/sqrt(width)), torch's rule for a GRU."""
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -1 / math.sqrt(width), 1 / math.sqrt(width))
