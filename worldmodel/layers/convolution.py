"""The convolution that the recurrent cells are made of."""

from __future__ import annotations

from torch import nn


def convolution(
    inputs: int,
    outputs: int,
    *,
    kernel: int,
    grid: tuple[int, int],
    normalise: bool,
    bias: bool = False,
) -> nn.Sequential:
    """A convolution that keeps the size and, where wanted, layer normalisation of its outputs."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    norm = layer_norm(outputs, grid, wanted=normalise)
    return nn.Sequential(conv, *([] if norm is None else [norm]))


def layer_norm(outputs: int, grid: tuple[int, int], *, wanted: bool) -> nn.Module | None:
    """Layer normalisation over (outputs, h, w), where it is wanted."""
    return nn.LayerNorm([outputs, *grid]) if wanted else None
