"""A vector is repeated at every pixel, beside the pixel's position."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from worldmodel.layers.position_embedding import coordinates

_WIDTH = 32
_MARGIN = 4
"""Pixels that four convolutions without padding take from each border."""


@final
class BroadcastDecoder(nn.Module):
    """Spatial broadcast decoder (Watters et al., 2019) with the sizes of the thesis code.

    Four 3x3 convolutions without padding and a 1x1 convolution, over a grid that is as much larger
    than the frame as they shrink it: 72x72 for 64x64 pixels.

    Args:
        inputs: Width of the vector.
        outputs: Channels of the result.
        size: Height and width (H, W) of the result.
    """

    positions: Tensor

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        height, width = size[0] + 2 * _MARGIN, size[1] + 2 * _MARGIN
        positions = coordinates(height, width, -1.0, 1.0)[None]
        self.register_buffer("positions", positions, persistent=False)
        self.first = nn.Conv2d(inputs + 2, _WIDTH, 3)
        self.rest = nn.Sequential(
            *(nn.ReLU(), nn.Conv2d(_WIDTH, _WIDTH, 3)),
            *(nn.ReLU(), nn.Conv2d(_WIDTH, _WIDTH, 3)),
            *(nn.ReLU(), nn.Conv2d(_WIDTH, _WIDTH, 3)),
            *(nn.ReLU(), nn.Conv2d(_WIDTH, outputs, 1)),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (B, inputs) to maps (B, outputs, H, W).

        The first convolution is split: of a vector that is the same everywhere it is one matrix
        product, and of the positions it is the same for all vectors.
        """
        of_vector, of_position = self.first.weight.split((vectors.shape[1], 2), dim=1)
        content = vectors @ of_vector.sum(dim=(2, 3)).T
        place = nn.functional.conv2d(self.positions, of_position, self.first.bias)
        return self.rest(content[:, :, None, None] + place)
