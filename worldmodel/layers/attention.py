"""Dot-product attention, for all layers that attend with one query per token."""

from __future__ import annotations

from torch import Tensor, nn


def attention(query: Tensor, key: Tensor, value: Tensor, *, scale: float | None = None) -> Tensor:
    """softmax(scale Q K^T) V, fused: the q x k weights are never stored.

    The fused kernels want tensors whose rows lie in a row; others cost more than the copies.

    Args:
        query: Shape (B, N, q, d).
        key: Shape (B, N, k, d).
        value: Shape (B, N, k, v).
        scale: Factor of the scores; 1/sqrt(d) if None.

    Returns:
        Shape (B, N, q, v).
    """
    return nn.functional.scaled_dot_product_attention(
        query.contiguous(), key.contiguous(), value.contiguous(), scale=scale
    )
