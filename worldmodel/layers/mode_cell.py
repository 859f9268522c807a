"""ModeCell: the decoupling-aggregation recurrent unit of ModeRNN."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, ActionModulation


@final
class ModeCell(nn.Module):
    """One ModeCell (ModeRNN, equations 2 to 7).

    With I = [X, H] of D = inputs + hidden channels, the slot bus asks (Q, D channels) and I answers
    (K, V); each of the N heads is one dynamic slot of D/N channels, whose tokens are the positions
    of the grid. An action modulates the hidden state before it enters I.

    Args:
        inputs: Channels d_x of the input state.
        hidden: Channels d_s of hidden state and slot bus.
        slots: Number N of dynamic slots; divides d_x + d_s.
        gate_kernel: Side of the kernels W_g, W_i, W_f, W_o (the paper leaves it open).
        forget_bias: Added before the sigmoid of the forget gate (the paper leaves it open).
        action_features: Channels of the action's features; None for an action-free cell.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        slots: int,
        gate_kernel: int,
        forget_bias: float,
        action_features: int | None,
    ) -> None:
        super().__init__()
        width = inputs + hidden
        self.slots, self.forget_bias = slots, forget_bias
        self.query = _separable_projection(hidden, width)
        self.key = _separable_projection(width, width)
        self.value = _separable_projection(width, width)
        self.slot_ffn = nn.Conv2d(width, slots * width, 3, padding=1, groups=slots)
        self.squeeze = nn.Linear(width, width // 2)
        self.importance = nn.Linear(width // 2, slots + 1)
        self.gates = nn.Conv2d(2 * width, 4 * hidden, gate_kernel, padding=gate_kernel // 2)
        self.recall, self.modulation = None, None
        if action_features is not None:
            self.recall = nn.Conv2d(hidden, hidden, 3, padding=1)
            self.modulation = ActionModulation(action_features, hidden, 3, None)

    def forward(
        self, x: Tensor, hidden: Tensor, bus: Tensor, action: ActionFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """One step from X (B, d_x, h, w), H and slot bus (B, d_s, h, w) to the new H and bus."""
        if self.recall is not None and self.modulation is not None and action is not None:
            hidden = self.recall(hidden) * self.modulation(action)
        both = torch.cat((x, hidden), dim=1)
        fused = self.fuse(self.bind(both, bus), both)
        g, i, f, o = self.gates(torch.cat((fused, both), dim=1)).chunk(4, dim=1)  # Eqn. 7.
        bus = torch.sigmoid(f + self.forget_bias) * bus + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(bus), bus

    def bind(self, both: Tensor, bus: Tensor) -> Tensor:
        """Slot features of I (B, D, h, w) and the bus (B, d_s, h, w). Shape (B, N, D, h, w)."""
        batch, width, h, w = both.shape

        def heads(features: Tensor) -> Tensor:
            return features.reshape(batch, self.slots, width // self.slots, h * w).transpose(2, 3)

        attended = _attention(  # Eqn. 3.
            heads(self.query(bus)), heads(self.key(both)), heads(self.value(both))
        )
        slots = attended.transpose(2, 3).reshape(batch, width, h, w)
        return self.slot_ffn(slots).relu().reshape(batch, self.slots, width, h, w)  # Eqn. 4.

    def weights(self, both: Tensor) -> Tensor:
        """Importance of I and of each slot, in (0, 1). Shape (B, N + 1)."""
        pooled = both.mean(dim=(2, 3))
        return torch.sigmoid(self.importance(self.squeeze(pooled)))  # Eqn. 5.

    def fuse(self, slots: Tensor, both: Tensor) -> Tensor:
        """Compositional features F of slots (B, N, D, h, w) and I (B, D, h, w), shaped as I."""
        weights = self.weights(both)
        weighted = torch.einsum("bn,bndhw->bdhw", weights[:, 1:], slots)
        return weights[:, 0, None, None, None] * both + weighted  # Eqn. 6.


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention per head, all of shape (B, N, tokens, width).

    On the CPU the fused kernel takes three times as long as its parts at heads this narrow.
    """
    if query.device.type != "cpu":
        return nn.functional.scaled_dot_product_attention(query, key, value)
    scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    return torch.softmax(scores, dim=-1) @ value


def _separable_projection(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 depth-wise separable convolutions.

    Between them, where the authors' code has batch normalisation, stands one whose evaluation does
    not depend on the batch.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.GroupNorm(1, outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs, bias=False),
        nn.Conv2d(outputs, outputs, 1),
    )
