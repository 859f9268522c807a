"""Actions that are repeated for a number of steps."""

from __future__ import annotations

import torch
from torch import Tensor


def decisions(actions: Tensor, chunk: int) -> Tensor:
    """The first action of every chunk, (..., T', A), of actions (..., T, A)."""
    return actions[..., ::chunk, :]


def repeated(sequences: Tensor, chunk: int, horizon: int) -> Tensor:
    """Each decision (..., T', A) for its chunk of steps, T = `horizon` in all: (..., T, A)."""
    return sequences.repeat_interleave(chunk, dim=-2)[..., :horizon, :]


def summed(gradients: Tensor, chunk: int) -> Tensor:
    """Gradients of the decisions, (..., T', A), of those of repeated actions, (..., T, A)."""
    steps = torch.arange(gradients.shape[-2], device=gradients.device) // chunk
    total = torch.zeros_like(decisions(gradients, chunk))
    return total.index_add(total.ndim - 2, steps, gradients)
