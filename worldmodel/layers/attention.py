"""Dot-product attention, for all layers that attend with one query per token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_FEW = 256 * 256
"""Weights of one head up to which training stores them: on a CPU that takes half the time of making
them again for the gradient."""


def attention(query: Tensor, key: Tensor, value: Tensor, *, scale: float | None = None) -> Tensor:
    """softmax(scale Q K^T) V; the q x k weights are stored only for the gradient, and if few.

    Args:
        query: Shape (B, N, q, d).
        key: Shape (B, N, k, d).
        value: Shape (B, N, k, v).
        scale: Factor of the scores; 1/sqrt(d) if None.

    Returns:
        Shape (B, N, q, v).
    """
    query, key, value = (x.contiguous() for x in (query, key, value))
    if _stores(query, key):
        return _stored(query, key, value, query.shape[3] ** -0.5 if scale is None else scale)
    return nn.functional.scaled_dot_product_attention(query, key, value, scale=scale)


def _stores(query: Tensor, key: Tensor) -> bool:
    trained = torch.is_grad_enabled() and (query.requires_grad or key.requires_grad)
    return trained and query.device.type == "cpu" and query.shape[2] * key.shape[2] <= _FEW


def _stored(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    flat = [x.flatten(0, 1) for x in (scale * query, key, value)]
    weights = torch.softmax(torch.bmm(flat[0], flat[1].transpose(1, 2)), dim=2)
    return torch.bmm(weights, flat[2]).unflatten(0, query.shape[:2])
