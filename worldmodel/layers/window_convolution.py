"""3-D convolutions over short windows of maps.

A window of `window` maps travels as one map whose channels are (channel, slice), slices from the
oldest to the newest, so that states and actions need not know about it.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class WindowConvolution(nn.Module):
    """A 3-D convolution over a window that lies in the channels, and a normalisation.

    Computed as a 2-D convolution of every run of `depth` slices, its weights folded likewise.

    Args:
        inputs: Channels of each slice.
        outputs: Channels of each slice of the result.
        window: Slices.
        depth: Slices that the kernel spans.
        side: Side of the kernel; odd.
        norm: Applied to the result, or None.
        bias: The convolution has a bias.
        repeat: The kernel spans the window; take that one run and repeat the result over the
            slices (OpenSTL). Otherwise the window is padded with zeros to as many runs as slices;
            of an odd number of them, more come after the newest slice (the authors' code).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        window: int,
        *,
        depth: int,
        side: int,
        norm: nn.Module | None = None,
        bias: bool = False,
        repeat: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs * depth, outputs, side, padding=side // 2, bias=bias)
        self.norm = nn.Identity() if norm is None else norm
        self.window, self.depth = window, depth
        self.margins = (0, 0) if repeat else ((depth - 1) // 2, depth // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, inputs . window, h, w) to (B, outputs . window, h, w)."""
        slices = x.unflatten(1, (-1, self.window))
        slices = nn.functional.pad(slices, (0, 0, 0, 0, *self.margins))
        starts = range(slices.shape[2] - self.depth + 1)
        runs = torch.stack([slices[:, :, z : z + self.depth] for z in starts], dim=1)
        y = self.conv(runs.flatten(2, 3).flatten(0, 1)).unflatten(0, (-1, len(starts)))
        repeated = y.transpose(1, 2).expand(-1, -1, self.window, -1, -1)
        return self.norm(repeated.flatten(1, 2))
