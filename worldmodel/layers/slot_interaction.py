"""How the slot bus and the input of a ModeCell become features of its dynamic slots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.attention import attention
from worldmodel.layers.convolution import once


class StateInteraction(nn.Module, ABC):
    """How the slot bus and I = [X, H] become N features slot', one per dynamic slot.

    Args:
        hidden: Channels d_s of the slot bus.
        width: Channels D of I.
        slots: Dynamic slots N.
        slot_width: Channels of slot', for each slot.
    """

    def __init__(self, hidden: int, width: int, slots: int, slot_width: int) -> None:
        super().__init__()
        self.slots, self.slot_width = slots, slot_width

    @abstractmethod
    def forward(self, both: Tensor, bus: Tensor) -> Tensor:
        """From I (B, D, h, w) and the bus (B, d_s, h, w) to all slot', (B, N slot_width, h, w)."""


@final
class MultiHeadAttention(StateInteraction):
    """The slot bus asks and I answers (equation 3).

    Each head is one slot, whose tokens are the positions of the grid.
    """

    def __init__(self, hidden: int, width: int, slots: int, slot_width: int) -> None:
        super().__init__(hidden, width, slots, slot_width)
        self.query = _separable_projection(hidden, slots * slot_width)
        self.key = _separable_projection(width, slots * slot_width, bias=False)
        self.value = _separable_projection(width, slots * slot_width)

    def forward(self, both: Tensor, bus: Tensor) -> Tensor:
        """See `StateInteraction.forward`."""
        h, w = both.shape[2:]

        def heads(features: Tensor) -> Tensor:
            tokens = features.permute(0, 2, 3, 1).flatten(1, 2)
            return tokens.unflatten(2, (self.slots, self.slot_width)).transpose(1, 2)

        attended = attention(
            heads(once(self.query, bus)), heads(self.key(both)), heads(self.value(both))
        )
        tokens = attended.transpose(1, 2).flatten(2)
        return tokens.unflatten(1, (h, w)).permute(0, 3, 1, 2)


@final
class SlotGraph(StateInteraction):
    """A graph convolution whose nodes are the slots, in place of attention.

    The paper leaves the graph and its features open. Here every slot is joined to every other and
    carries, at each position, its part of the queries of the slot bus and of the values of I. On
    that graph the renormalised convolution of Kipf and Welling (ICLR 2017) would make all slots
    alike; their first-order form (their equation 6), with one matrix for a node and one for the
    mean of its neighbours, does not. It needs at least two slots.
    """

    def __init__(self, hidden: int, width: int, slots: int, slot_width: int) -> None:
        super().__init__(hidden, width, slots, slot_width)
        self.query = _separable_projection(hidden, slots * slot_width)
        self.value = _separable_projection(width, slots * slot_width)
        self.convolution = nn.Conv2d(4 * slot_width, slot_width, 1)

    def forward(self, both: Tensor, bus: Tensor) -> Tensor:
        """See `StateInteraction.forward`."""
        parts = (self.query(bus), self.value(both))
        nodes = torch.cat([part.unflatten(1, (self.slots, -1)) for part in parts], dim=2)
        neighbours = (nodes.sum(dim=1, keepdim=True) - nodes) / (self.slots - 1)
        joined = torch.cat((nodes, neighbours), dim=2).flatten(0, 1)
        return self.convolution(joined).relu().unflatten(0, (-1, self.slots)).flatten(1, 2)


@final
class SlotSplit(StateInteraction):
    """The values of I, split among the slots: what is left of attention without queries and keys.

    The slot bus then reaches the next step through equation 7 alone.
    """

    def __init__(self, hidden: int, width: int, slots: int, slot_width: int) -> None:
        super().__init__(hidden, width, slots, slot_width)
        self.value = _separable_projection(width, slots * slot_width)

    def forward(self, both: Tensor, bus: Tensor) -> Tensor:
        """See `StateInteraction.forward`."""
        return self.value(both)


def _separable_projection(inputs: int, outputs: int, *, bias: bool = True) -> nn.Sequential:
    """Two 3x3 depth-wise separable convolutions.

    Between them, where the authors' code has batch normalisation, stands one whose evaluation does
    not depend on the batch. Keys need no bias: it would cancel in the softmax.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.GroupNorm(1, outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs, bias=False),
        nn.Conv2d(outputs, outputs, 1, bias=bias),
    )
