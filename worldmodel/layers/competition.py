"""Weights of an attention in which those that look compete for what there is to see."""

from __future__ import annotations

import torch
from torch import Tensor

_EPSILON = 1e-8


def competition(scores: Tensor) -> Tensor:
    """A softmax over the K that look, then normalised over the N that they look at.

    Slot attention (Locatello et al., NeurIPS 2020); so do RIMs in the code of the thesis.

    Args:
        scores: Shape (B, K, N).

    Returns:
        Weights, which sum to one over N. Shape (B, K, N).
    """
    shares = torch.softmax(scores, dim=1) + _EPSILON
    return shares / shares.sum(dim=2, keepdim=True)
