"""What layers are made of, restated with loops, for one sample in float64."""

from itertools import product

import torch
from torch import Tensor, nn


def conv(x: Tensor, layer: nn.Module) -> Tensor:
    """A convolution of (C, h, w) by its definition: a sum over taps."""
    assert isinstance(layer, nn.Conv2d)
    outputs, inputs, side, _ = layer.weight.shape
    h, w = x.shape[1:]
    padded = torch.zeros(inputs, h + side - 1, w + side - 1, dtype=x.dtype)
    padded[:, side // 2 : side // 2 + h, side // 2 : side // 2 + w] = x
    y = torch.zeros(outputs, h, w, dtype=x.dtype)
    for o, i, row, column in product(range(outputs), range(inputs), range(side), range(side)):
        tap = padded[i, row : row + h, column : column + w]
        y[o] += layer.weight[o, i, row, column].detach() * tap
    return y if layer.bias is None else y + layer.bias.detach()[:, None, None]


def path(x: Tensor, layers: nn.Module | None) -> Tensor:
    """A convolution and, if there is one, the layer normalisation of all that it returns."""
    assert isinstance(layers, nn.Sequential)
    y = conv(x, layers[0])
    if len(layers) == 1:
        return y
    norm = layers[1]
    assert isinstance(norm, nn.LayerNorm)
    spread = (y - y.mean()).square().mean()
    return (y - y.mean()) / (spread + norm.eps).sqrt() * norm.weight + norm.bias


@torch.no_grad()
def lively(module: nn.Module) -> None:
    """Make weights so large, and norms so uneven, that a wrong gate, sign or path shows."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.3, 0.4)
