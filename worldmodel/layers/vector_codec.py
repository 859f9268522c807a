"""Frames as vectors and back, with skip connections at every resolution in between."""

from __future__ import annotations

from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.codec import Skips
from worldmodel.layers.conv_block import growing, rectified, shrinking
from worldmodel.layers.patches import check_divisible

_KERNEL = 4
_WIDEST = 8
_PER_GROUP = 16


@final
class VectorEncoder(nn.Module):
    """Convolutions that halve the frame, then one as large as what is left of it.

    The DCGAN encoder of SVG (its code), for frames of any shape and with group normalisation in
    place of batch normalisation.

    Args:
        frame_shape: (C, H, W) in pixels.
        features: Width of the vector.
        width: Channels after the first halving; they double with every other, up to 8 `width`.
        halvings: Convolutions that halve the frame.

    Raises:
        InputError: 2^halvings does not divide the frame.
    """

    def __init__(
        self, frame_shape: tuple[int, int, int], features: int, width: int, halvings: int
    ) -> None:
        super().__init__()
        widths, grid = _pyramid(frame_shape, width, halvings)
        self.blocks = nn.ModuleList(
            rectified(shrinking(inputs, outputs, kernel=_KERNEL, factor=2), _groups(outputs))
            for inputs, outputs in pairwise((frame_shape[0], *widths))
        )
        self.output = nn.Sequential(
            nn.Conv2d(widths[-1], features, grid), nn.GroupNorm(1, features), nn.Tanh()
        )

    def forward(self, frame: Tensor) -> tuple[Tensor, Skips]:
        """Vector (B, features) in (-1, 1) of a frame (B, C, H, W), and the map of each halving."""
        skips: Skips = ()
        for block in self.blocks:
            frame = block(frame)
            skips = (*skips, frame)
        return self.output(frame).flatten(1), skips


@final
class VectorDecoder(nn.Module):
    """The mirror image of `VectorEncoder`: at every size, the encoder's maps beside its own.

    Args:
        frame_shape: (C, H, W) in pixels.
        features: Width of the vector.
        width: As of the encoder.
        halvings: As of the encoder.

    Raises:
        InputError: 2^halvings does not divide the frame.
    """

    def __init__(
        self, frame_shape: tuple[int, int, int], features: int, width: int, halvings: int
    ) -> None:
        super().__init__()
        widths, grid = _pyramid(frame_shape, width, halvings)
        smallest = nn.ConvTranspose2d(features, widths[-1], grid)
        self.input = rectified(smallest, _groups(widths[-1]))
        self.blocks = nn.ModuleList(
            rectified(growing(2 * inputs, outputs, kernel=_KERNEL, factor=2), _groups(outputs))
            for inputs, outputs in pairwise(reversed(widths))
        )
        self.output = growing(2 * width, frame_shape[0], kernel=_KERNEL, factor=2)

    def forward(self, vector: Tensor, skips: Skips) -> Tensor:
        """Frame (B, C, H, W) in (0, 1) of a vector (B, features) and the encoder's maps."""
        largest, *others = skips
        x = self.input(vector[:, :, None, None])
        for block, skip in zip(self.blocks, reversed(others), strict=True):
            x = block(torch.cat((x, skip), dim=1))
        return torch.sigmoid(self.output(torch.cat((x, largest), dim=1)))


def _pyramid(
    frame_shape: tuple[int, int, int], width: int, halvings: int
) -> tuple[list[int], tuple[int, int]]:
    """Channels after every halving, and height and width of the last maps."""
    _, height, width_px = frame_shape
    check_divisible(height, width_px, 2**halvings)
    widths = [width * min(2**level, _WIDEST) for level in range(halvings)]
    return widths, (height // 2**halvings, width_px // 2**halvings)


def _groups(channels: int) -> int:
    return channels // _PER_GROUP if channels % _PER_GROUP == 0 else 1
