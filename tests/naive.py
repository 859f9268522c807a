"""What layers are made of, restated with loops, for one sample in float64."""

from itertools import product

import torch
from torch import Tensor, nn


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int = 1) -> Tensor:
    """A convolution of (C, h, w) by its definition: a sum over taps."""
    (outputs, inputs, side, _), (h, w) = weight.shape, x.shape[1:]
    padded = torch.zeros(len(x), h + side - 1, w + side - 1, dtype=x.dtype)
    padded[:, side // 2 : side // 2 + h, side // 2 : side // 2 + w] = x
    y = torch.zeros(outputs, h, w, dtype=x.dtype)
    for o, i, row, column in product(range(outputs), range(inputs), range(side), range(side)):
        first = o // (outputs // groups) * inputs
        tap = padded[first + i, row : row + h, column : column + w]
        y[o] += weight[o, i, row, column].detach() * tap
    return y if bias is None else y + bias.detach()[:, None, None]


def conv(x: Tensor, layer: nn.Module) -> Tensor:
    """`convolved` by a layer."""
    assert isinstance(layer, nn.Conv2d)
    return convolved(x, layer.weight, layer.bias, layer.groups)


def normalised(x: Tensor, epsilon: float = 1e-5) -> Tensor:
    """To mean zero and variance one, over all entries."""
    spread = (x - x.mean()).square().mean()
    return (x - x.mean()) / (spread + epsilon).sqrt()


def path(x: Tensor, layers: nn.Module | None) -> Tensor:
    """A convolution and, if there is one, the layer normalisation of all that it returns."""
    assert isinstance(layers, nn.Sequential)
    y = conv(x, layers[0])
    if len(layers) == 1:
        return y
    norm = layers[1]
    assert isinstance(norm, nn.LayerNorm)
    return normalised(y, norm.eps) * norm.weight + norm.bias


def softmax(scores: list[Tensor]) -> list[Tensor]:
    powers = [score.exp() for score in scores]
    return [power / torch.stack(powers).sum() for power in powers]


def attended(query: Tensor, keys: list[Tensor], values: list[Tensor], scale: float = 1.0) -> Tensor:
    """The values' mean, weighted by the softmax of the keys' products with one query."""
    weights = softmax([scale * (query @ key) for key in keys])
    return torch.stack([w * value for w, value in zip(weights, values, strict=True)]).sum(dim=0)


@torch.no_grad()
def lively(module: nn.Module) -> None:
    """Make weights so large, and norms so uneven, that a wrong gate, sign or path shows."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.3, 0.4)
