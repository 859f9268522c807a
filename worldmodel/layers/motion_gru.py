"""MotionGRU: a motion filter of transient variation and trend, and the warp that it steers."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.bilinear import sampled

FILTER_CHANNELS = 18
"""Of a motion filter: how far each of 3x3 neighbours lies down, then how far right, row by row."""


def neighbourhoods(x: Tensor, offsets: Tensor) -> Tensor:
    """The 3x3 neighbours of every position, each moved by an offset of its own.

    Args:
        x: Maps. Shape (B, C, h, w).
        offsets: A motion filter, in positions. Shape (B, 18, h, w).

    Returns:
        Bilinear samples, zero outside the maps; those of position (i, j) are the block of 3x3 at
        (3i, 3j). Shape (B, C, 3h, 3w).
    """
    height, width = x.shape[2:]
    down, right = nn.functional.pixel_shuffle(offsets, 3).unbind(dim=1)
    rows = down + _unmoved(height, x.device)[:, None]
    columns = right + _unmoved(width, x.device)
    return sampled(x, rows, columns)


def _unmoved(size: int, device: torch.device) -> Tensor:
    """Positions of the neighbours along one axis. Shape (3 size,)."""
    index = torch.arange(3 * size, device=device)
    return index // 3 + index % 3 - 1


@final
class Warp(nn.Module):
    """The warp and its mask (MotionRNN, equation 4; the authors' code).

    A deformable 3x3 convolution without bias whose nine neighbours are masked by sigma(W_hm * x).

    Args:
        channels: Of the maps that are warped.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=3, bias=False)
        self.mask = nn.Conv2d(channels, 9, 3, padding=1)
        nn.init.zeros_(self.mask.weight)

    def forward(self, x: Tensor, offsets: Tensor) -> Tensor:
        """Maps (B, C, h, w) warped by a motion filter (B, 18, h, w)."""
        mask = nn.functional.pixel_shuffle(torch.sigmoid(self.mask(x)), 3)
        return self.conv(mask * neighbourhoods(x, offsets))


@final
class TransientVariation(nn.Module):
    """The ConvGRU of the motion filter (MotionRNN, equation 2).

    As published, its weights start at zero: the first filters are the same everywhere. Only those
    of the candidate start small instead, or the reset gate would get no gradient.

    Args:
        channels: Of the encoded maps.
        kernel: Side of the kernels.
    """

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()

        def conv() -> nn.Conv2d:
            return nn.Conv2d(
                channels + FILTER_CHANNELS, FILTER_CHANNELS, kernel, padding=kernel // 2
            )

        self.update, self.reset, self.output = conv(), conv(), conv()
        nn.init.zeros_(self.update.weight)
        nn.init.zeros_(self.reset.weight)
        self.output.weight.data.mul_(0.1)

    def forward(self, x: Tensor, offsets: Tensor) -> Tensor:
        """Transient variation after encoded maps (B, C, h, w) and a motion filter (B, 18, h, w)."""
        both = torch.cat((x, offsets), dim=1)
        update, reset = torch.sigmoid(self.update(both)), torch.sigmoid(self.reset(both))
        candidate = torch.tanh(self.output(torch.cat((x, reset * offsets), dim=1)))
        return update * candidate + (1 - update) * offsets


@final
class MotionGRU(nn.Module):
    """MotionGRU between encoder and decoder (MotionRNN, equations 2 to 4).

    Args:
        channels: Of the encoded maps.
        kernel: Side of the transient variation's kernels.
        transient: The filter has a transient variation; without one it is the trend alone.
        trend_rate: Step alpha of the trend, see equation (3); at 0 there is none.
    """

    def __init__(self, channels: int, *, kernel: int, transient: bool, trend_rate: float) -> None:
        super().__init__()
        self.transient = TransientVariation(channels, kernel=kernel) if transient else None
        self.trend_rate = trend_rate
        self.warp = Warp(channels)

    def forward(self, x: Tensor, offsets: Tensor, trend: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step.

        Args:
            x: Encoded maps Enc(H). Shape (B, C, h, w).
            offsets: Motion filter F of the previous step. Shape (B, 18, h, w).
            trend: Trending momentum D of the previous step, of the same shape.

        Returns:
            The warped maps, the new motion filter and the new trend.
        """
        trend = trend + self.trend_rate * (offsets - trend)  # Eqn. 3.
        offsets = trend if self.transient is None else self.transient(x, offsets) + trend
        return self.warp(x, offsets), offsets, trend
