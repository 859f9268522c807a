"""Input attention: cells compete for inputs, and the ones that find none stay idle."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from worldmodel.layers.competition import competition
from worldmodel.layers.group_linear import projection


class Reading(NamedTuple):
    """What the cells read.

    Attributes:
        values: Input of every cell, zero for idle ones. Shape (B, K, value).
        weights: Attention of every cell to each of the N inputs and, last, to the null input; sums
            to one over them. Shape (B, K, N + 1).
        active: The cells that are updated. Shape (B, K), boolean.
    """

    values: Tensor
    weights: Tensor
    active: Tensor


@final
class InputAttention(nn.Module):
    """Input attention of RIMs (thesis, equations 3.14 to 3.16 and 3.21, and its code).

    The equations normalise over the inputs. The code, and section 4.3 in words, first let the cells
    compete for each input and then normalise over the inputs.

    Args:
        inputs: Width F of an input.
        hidden: Width D of a cell's state.
        key: Width of keys and queries.
        value: Width of values.
        active: Number k_a of cells with the least attention to the null input that are updated.
        cells: Number K of cells; None if they share one query projection.
        dropout: Probability of dropping a weight in training.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        key: int,
        value: int,
        active: int,
        cells: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.scale, self.active = key**-0.5, active
        self.query = projection(hidden, key, cells)
        self.key = nn.Linear(inputs, key, bias=False)
        self.value = nn.Linear(inputs, value, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Reading:
        """Inputs (B, N, F) as the cells in states (B, K, D) read them."""
        inputs = nn.functional.pad(inputs, (0, 0, 0, 1))
        scores = self.query(hidden) @ self.key(inputs).transpose(1, 2) * self.scale
        weights = competition(scores)
        active = _largest(1 - weights[:, :, -1], self.active)
        values = self.dropout(weights) @ self.value(inputs)
        return Reading(values * active[:, :, None], weights, active)


def _largest(relevance: Tensor, count: int) -> Tensor:
    """True at the `count` largest of each row of (B, K)."""
    chosen = relevance.topk(count, dim=1).indices
    return torch.zeros_like(relevance, dtype=torch.bool).scatter(1, chosen, True)
