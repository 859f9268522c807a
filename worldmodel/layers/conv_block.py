"""What frame encoders and decoders are built of: convolutions that shrink and grow maps."""

from __future__ import annotations

from torch import nn


def rectified(conv: nn.Conv2d | nn.ConvTranspose2d, groups: int) -> nn.Sequential:
    """A convolution, the normalisation of its outputs in groups of channels, a leaky rectifier."""
    return nn.Sequential(conv, nn.GroupNorm(groups, conv.out_channels), nn.LeakyReLU(0.2))


def start_small(conv: nn.Conv2d) -> None:
    """Divide the initial weights by ten, for an output that predicts a change: nearly none."""
    for parameter in conv.parameters():
        parameter.data.mul_(0.1)


def shrinking(
    inputs: int, outputs: int, *, kernel: int, factor: int, bias: bool = True
) -> nn.Conv2d:
    """A convolution to maps whose sides are 1/`factor` of the input's, which it divides."""
    return nn.Conv2d(inputs, outputs, kernel, factor, (kernel - 1) // 2, bias=bias)


def growing(
    inputs: int, outputs: int, *, kernel: int, factor: int, bias: bool = True
) -> nn.ConvTranspose2d:
    """A transposed convolution to maps whose sides are `factor` times the input's."""
    padding = (kernel - 1) // 2
    added = factor - kernel + 2 * padding
    return nn.ConvTranspose2d(inputs, outputs, kernel, factor, padding, added, bias=bias)
