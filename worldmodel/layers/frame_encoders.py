"""Frames as vectors: one of the whole frame, or one for every position of a feature map."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.position_embedding import PositionEmbedding
from worldmodel.layers.sample_norm import SampleNorm

_WIDTH = 64
"""Channels of the last convolution."""


def feature_grid(frame_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of the feature map: an eighth of the frame's, less the two at the border.

    Raises:
        InputError: Height and width are not multiples of 8, or below 32.
    """
    _, height, width = frame_shape
    if height % 8 or width % 8 or min(height, width) < 32:
        raise InputError(
            f"frames: expected a height and width that are multiples of 8 and at least 32, "
            f"got ({height}, {width})"
        )
    return height // 8 - 2, width // 8 - 2


@final
class EmbeddingEncoder(nn.Module):
    """One vector of the whole frame (thesis, table A.1).

    Args:
        frame_shape: (C, H, W) in pixels.
        features: Width F of the vector.

    Raises:
        InputError: See `feature_grid`.
    """

    def __init__(self, frame_shape: tuple[int, int, int], features: int) -> None:
        super().__init__()
        height, width = feature_grid(frame_shape)
        self.convolutions = nn.Sequential(*_convolutions(frame_shape[0]), SampleNorm())
        self.linear = nn.Linear(_WIDTH * height * width, features)
        self.output = nn.Sequential(nn.ELU(), SampleNorm())

    def forward(self, frame: Tensor) -> Tensor:
        """Frame (B, C, H, W) to one vector, shape (B, 1, F)."""
        return self.output(self.linear(self.convolutions(frame).flatten(1)))[:, None]


@final
class FeatureMapEncoder(nn.Module):
    """One vector for every position of a feature map (thesis, table A.2).

    The table lists a second flattening after the spatial one; it is left out, since it would leave
    a single vector.

    Args:
        frame_shape: (C, H, W) in pixels.
        features: Width F of a vector.

    Raises:
        InputError: See `feature_grid`.
    """

    def __init__(self, frame_shape: tuple[int, int, int], features: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolutions(frame_shape[0]), PositionEmbedding(_WIDTH, feature_grid(frame_shape))
        )
        self.linear = nn.Linear(_WIDTH, features)
        self.output = nn.Sequential(nn.ELU(), SampleNorm())

    def forward(self, frame: Tensor) -> Tensor:
        """Frame (B, C, H, W) to the vectors of all h w positions, row by row, (B, h w, F)."""
        positions = self.convolutions(frame).flatten(2).transpose(1, 2)
        return self.output(self.linear(positions))


def _convolutions(channels: int) -> list[nn.Module]:
    """Three 4x4 convolutions of stride 2 without padding: 64x64 pixels become 6x6 positions."""
    return [
        *(nn.Conv2d(channels, _WIDTH // 4, 4, stride=2), nn.ELU(), SampleNorm()),
        *(nn.Conv2d(_WIDTH // 4, _WIDTH // 2, 4, stride=2), nn.ELU(), SampleNorm()),
        *(nn.Conv2d(_WIDTH // 2, _WIDTH, 4, stride=2), nn.ELU()),
    ]
