"""Inception blocks in a U-Net that keeps the grid: the translator of SimVP."""

from __future__ import annotations

from functools import reduce
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.conv_block import rectified

GROUPS = 8
"""Of the convolutions and of their normalisation."""

_KERNELS = (3, 5, 7, 11)


@final
class Inception(nn.Module):
    """A 1x1 convolution, then the sum of grouped convolutions with kernels of several sizes.

    Args:
        inputs: Channels of the input.
        width: Channels between; divisible by `GROUPS`.
        outputs: Channels of the output; divisible by `GROUPS`.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(inputs, width, 1)
        self.branches = nn.ModuleList(
            rectified(nn.Conv2d(width, outputs, k, padding=k // 2, groups=GROUPS), GROUPS)
            for k in _KERNELS
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, inputs, h, w) to (B, outputs, h, w)."""
        x = self.reduction(x)
        return reduce(torch.add, (branch(x) for branch in self.branches))


@final
class InceptionUNet(nn.Module):
    """Inception blocks, as many up as down, with skip connections between the two.

    The translator of SimVP (the authors' code). Nothing is scaled on the way.

    Args:
        inputs: Channels of the input.
        hidden: Channels between the blocks; divisible by 2 `GROUPS`.
        outputs: Channels of the output; divisible by `GROUPS`.
        depth: Blocks down, and blocks up; at least 2.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, depth: int) -> None:
        super().__init__()
        width = hidden // 2
        self.down = nn.ModuleList(
            Inception(hidden if level else inputs, width, hidden) for level in range(depth)
        )
        self.bottom = Inception(hidden, width, hidden)
        self.up = nn.ModuleList(
            Inception(2 * hidden, width, outputs if level == 0 else hidden)
            for level in reversed(range(depth - 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, inputs, h, w) to (B, outputs, h, w)."""
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        x = self.bottom(skips.pop())
        for block in self.up:
            x = block(torch.cat((x, skips.pop()), dim=1))
        return x
