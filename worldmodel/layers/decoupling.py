"""Memory decoupling: the auxiliary term that sets the two memories of a layer apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def decoupling(adapter: nn.Module, cell_increment: Tensor, memory_increment: Tensor) -> Tensor:
    """Mean |cosine| between the two increments, channel by channel (PredRNN-V2, equation 5).

    The paper sums over channels, layers and steps; the mean is the authors' code, and what the
    published weights of the term refer to.

    Args:
        adapter: The 1x1 convolution W_decouple that all layers share.
        cell_increment: i . g of one layer. Shape (B, hidden, h, w).
        memory_increment: i' . g' of the same layer and shape.

    Returns:
        A scalar in [0, 1].
    """
    cell, memory = (
        nn.functional.normalize(adapter(x).flatten(2), dim=2)
        for x in (cell_increment, memory_increment)
    )
    return torch.cosine_similarity(cell, memory, dim=2).abs().mean()
