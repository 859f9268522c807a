"""A vector becomes a small map that grows to the frame's size."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from worldmodel.layers.sample_norm import SampleNorm

_WIDTH = 64
"""Channels of the smallest map."""


@final
class UpsamplingDecoder(nn.Module):
    """Three times: double the size, bilinearly, and convolve (the decoder of the thesis code).

    Args:
        inputs: Width of the vector.
        outputs: Channels of the result.
        size: Height and width (H, W) of the result, multiples of 8.
    """

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        height, width = size[0] // 8, size[1] // 8
        self.layers = nn.Sequential(
            *(nn.Sigmoid(), SampleNorm()),
            *(nn.Linear(inputs, _WIDTH * height * width), nn.ReLU(), SampleNorm()),
            nn.Unflatten(1, (_WIDTH, height, width)),
            *(_doubled(), nn.ReplicationPad2d(2), nn.Conv2d(_WIDTH, _WIDTH // 2, 4)),
            *(nn.ReLU(), SampleNorm()),
            *(_doubled(), nn.ReplicationPad2d(1), nn.Conv2d(_WIDTH // 2, _WIDTH // 4, 4)),
            *(nn.ReLU(), SampleNorm()),
            *(_doubled(), nn.Conv2d(_WIDTH // 4, outputs, 3)),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (B, inputs) to maps (B, outputs, H, W)."""
        return self.layers(vectors)


def _doubled() -> nn.Module:
    return nn.Upsample(scale_factor=2, mode="bilinear")
