"""The convolution that the recurrent cells are made of."""

from __future__ import annotations

from torch import Tensor, nn


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


def once(module: nn.Module, maps: Tensor) -> Tensor:
    """A module of maps (B, C, h, w); computed once where one map stands for all of the batch.

    So it is with a state before the first frame, and with the present from which many futures are
    imagined.
    """
    if len(maps) > 1 and maps.stride(0) == 0:
        return shared(module(maps[:1]), len(maps))
    return module(maps)


def shared(maps: Tensor, batch: int) -> Tensor:
    """One map (1, ...) standing for a batch (B, ...), without a copy."""
    return maps.expand(batch, *maps.shape[1:])
