"""What an E3D-LSTM recalls of all its past memories."""

from __future__ import annotations

from torch import Tensor

from worldmodel.layers.attention import attention


def eidetic_recall(query: Tensor, history: Tensor, channels: int) -> Tensor:
    """RECALL(R, C) = softmax(R . C^T) . C over all positions of all slices of all memories.

    Args:
        query: Recall gate R. Shape (B, channels . window, h, w).
        history: Memories C. Shape (B, n, channels . window, h, w).
        channels: Channels of each slice.

    Returns:
        What every position of the query recalls, shaped as the query.
    """
    tokens = query.unflatten(1, (channels, -1)).flatten(2).transpose(1, 2)
    memories = history.unflatten(2, (channels, -1)).flatten(3).transpose(2, 3).flatten(1, 2)
    return _recalled(tokens, memories).transpose(1, 2).reshape(query.shape)


def openstl_recall(query: Tensor, history: Tensor, channels: int) -> Tensor:
    """`eidetic_recall` as OpenSTL computes it.

    It cuts maps whose channels come first into runs of as many numbers as there are channels: a
    token is then a piece of one channel, not the channels of one position.
    """
    tokens, memories = (maps.reshape(maps.shape[0], -1, channels) for maps in (query, history))
    return _recalled(tokens, memories).reshape(query.shape)


def _recalled(tokens: Tensor, memories: Tensor) -> Tensor:
    """Unscaled attention of tokens (B, q, d) over memories (B, k, d). Shape (B, q, d)."""
    memories = memories[:, None]
    return attention(tokens[:, None], memories, memories, scale=1.0)[:, 0]
