"""From the states of the cells to a frame: all cells at once, or cell by cell."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from worldmodel.layers.broadcast_decoder import BroadcastDecoder
from worldmodel.layers.upsampling_decoder import UpsamplingDecoder


class Components(NamedTuple):
    """What each cell contributes to a frame.

    Attributes:
        frames: A whole frame of each cell, in [0, 1]. Shape (B, K, C, H, W).
        masks: How much of each pixel is the cell's; sums to one over the cells. Shape
            (B, K, 1, H, W).
    """

    frames: Tensor
    masks: Tensor

    def blended(self) -> Tensor:
        """The frame (thesis, equation 3.23). Shape (B, C, H, W)."""
        return (self.frames * self.masks).sum(dim=1)


@final
class ConcatenationDecoder(nn.Module):
    """CAT: the states side by side become one frame (thesis, equation 3.19).

    Args:
        cells: Number K of cells.
        hidden: Width D of a cell's state.
        frame_shape: (C, H, W) in pixels.
    """

    def __init__(self, cells: int, hidden: int, frame_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = frame_shape
        self.decoder = UpsamplingDecoder(cells * hidden, channels, (height, width))

    def forward(self, hidden: Tensor) -> Tensor:
        """States (B, K, D) to a frame (B, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.decoder(hidden.flatten(1)))


@final
class ComponentDecoder(nn.Module):
    """Every state becomes a frame and a mask by one decoder that all cells share.

    The masks are sigmoids divided by their sum over the cells (the thesis code), as a softmax of
    their logarithms.

    Args:
        decoder: Maps (N, D) to (N, C + 1, H, W): logits of the frame and, last, of the mask.
    """

    def __init__(self, decoder: UpsamplingDecoder | BroadcastDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def components(self, hidden: Tensor) -> Components:
        """What each of the states (B, K, D) contributes (thesis, equation 3.22)."""
        maps = self.decoder(hidden.flatten(0, 1)).unflatten(0, hidden.shape[:2])
        frames, masks = maps[:, :, :-1], maps[:, :, -1:]
        return Components(
            torch.sigmoid(frames), torch.softmax(nn.functional.logsigmoid(masks), dim=1)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """States (B, K, D) to a frame (B, C, H, W) in [0, 1]."""
        return self.components(hidden).blended()
