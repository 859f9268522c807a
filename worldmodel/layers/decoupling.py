"""Memory decoupling: the auxiliary term that sets the two memories of a layer apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_SMALLEST = 1e-24
"""Squared norm below which an increment counts as none."""


def decoupling(adapter: nn.Conv2d, increments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Mean |cosine| between the increments of both memories, by channel (PredRNN-V2, equation 5).

    The paper sums over channels, layers and steps; the mean is the authors' code, and what the
    published weights of the term refer to. The adapted maps W x are not made: their products are
    W (x y^T) W^T, of which the diagonal counts.

    Args:
        adapter: The 1x1 convolution W_decouple that all layers share, without a bias.
        increments: Of every layer, i . g and i' . g'. Each of shape (B, hidden, h, w).

    Returns:
        A scalar in [0, 1].
    """
    pairs = torch.cat([torch.cat(pair, dim=1) for pair in increments])
    rows = pairs.permute(0, 2, 3, 1).flatten(1, 2)
    products = torch.bmm(rows.transpose(1, 2), rows)
    (cells, mixed), (_, memories) = (half.chunk(2, dim=2) for half in products.chunk(2, dim=1))
    units = torch.eye(adapter.in_channels, device=rows.device, dtype=rows.dtype)
    weight = adapter(units[:, :, None, None]).flatten(1).T
    cells, mixed, memories = (
        ((weight @ block) * weight).sum(2) for block in (cells, mixed, memories)
    )
    norms = cells.clamp_min(_SMALLEST).sqrt() * memories.clamp_min(_SMALLEST).sqrt()
    return (mixed / norms).abs().mean()
