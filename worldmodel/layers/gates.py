"""What gates do with a memory."""

from __future__ import annotations

import torch
from torch import Tensor


def updated(gates: Tensor, memory: Tensor, forget_bias: float) -> tuple[Tensor, Tensor]:
    """sigmoid(f + bias) . memory + sigmoid(i) . tanh(g), and the second term, what it gains.

    Args:
        gates: Before their nonlinearities i, f and g, in this order. Shape (B, 3 D, h, w).
        memory: Shape (B, D, h, w).
        forget_bias: Added to f.
    """
    i, f, g = gates.chunk(3, dim=1)
    increment = torch.sigmoid(packed(i)) * torch.tanh(packed(g))
    return torch.addcmul(increment, torch.sigmoid(f + forget_bias), memory), increment


def packed(maps: Tensor) -> Tensor:
    """Some channels of maps (B, C, h, w) on their own, channels last.

    A nonlinearity of channels that lie among others takes twice the time.
    """
    return maps.contiguous(memory_format=torch.channels_last)
