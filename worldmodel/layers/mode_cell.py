"""ModeCell: the decoupling-aggregation recurrent unit of ModeRNN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, ActionModulation, modulated
from worldmodel.layers.convolution import once
from worldmodel.layers.gates import packed
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer
from worldmodel.layers.slot_interaction import StateInteraction


@final
class SlotBinding(nn.Module):
    """From bus and I to the dynamic slots (equations 3 and 4).

    Args:
        interaction: Equation 3.
        width: Channels D of I and of every slot.
        per_slot: A feed-forward network for each slot; otherwise one that all slots share.
    """

    def __init__(self, interaction: StateInteraction, width: int, *, per_slot: bool) -> None:
        super().__init__()
        self.interaction = interaction
        self.slots, self.per_slot, own = interaction.slots, per_slot, interaction.slot_width
        networks = self.slots if per_slot else 1
        self.ffn = nn.Conv2d(networks * own, networks * width, 3, padding=1, groups=networks)

    def forward(self, both: Tensor, bus: Tensor) -> Tensor:
        """Slots (B, N D, h, w) of I (B, D, h, w) and the bus (B, d_s, h, w)."""
        features = self.interaction(both, bus)
        if self.per_slot:
            return self.ffn(features).relu()
        each = self.ffn(features.unflatten(1, (self.slots, -1)).flatten(0, 1)).relu()
        return each.unflatten(0, (-1, self.slots)).flatten(1, 2)


@final
class SlotFusion(nn.Module):
    """From slots and I to the compositional features F (equations 5 and 6).

    Args:
        width: Channels D of I and of every slot.
        slots: Dynamic slots N; 0 for I alone.
        adaptive: Weights learned from I; otherwise all are one.
        shortcut: I is a part of F, weighted like a slot.
    """

    def __init__(self, width: int, slots: int, *, adaptive: bool, shortcut: bool) -> None:
        super().__init__()
        self.slots, self.shortcut = slots, shortcut
        self.squeeze, self.importance = None, None
        if adaptive:
            self.squeeze = nn.Linear(width, width // 2)
            self.importance = nn.Linear(width // 2, slots + shortcut)

    def weights(self, both: Tensor) -> Tensor:
        """Importance of I, if it has a shortcut, then of each slot, in (0, 1]. Shape (B, parts)."""
        if self.squeeze is None or self.importance is None:
            return both.new_ones(both.shape[0], self.slots + self.shortcut)
        pooled = both.mean(dim=(2, 3))
        return torch.sigmoid(self.importance(self.squeeze(pooled)))  # Eqn. 5.

    def forward(self, both: Tensor, slots: Tensor | None) -> Tensor:
        """F of I and slots (B, N D, h, w), None if there are none. F and I: (B, D, h, w)."""
        weights = self.weights(both)
        if slots is None:
            return weights[:, :, None, None] * both
        fused = _weighted(slots, weights[:, -self.slots :])
        if self.shortcut:
            fused = weights[:, :1, None, None] * both + fused
        return fused  # Eqn. 6.


def _weighted(slots: Tensor, weights: Tensor) -> Tensor:
    """The sum of slots (B, N D, h, w), each times its weight (B, N). Shape (B, D, h, w)."""
    batch, _, h, w = slots.shape
    count = weights.shape[1]
    pixels = slots.permute(0, 2, 3, 1).reshape(batch * h * w, count, -1)
    factors = weights.repeat_interleave(h * w, dim=0)[:, None]
    return torch.bmm(factors, pixels).reshape(batch, h, w, -1).permute(0, 3, 1, 2)


@final
class ModeCell(RecurrentLayer):
    """One ModeCell (ModeRNN, equations 2 to 7).

    Its own state is `hidden` and the slot `bus`. An action modulates the hidden state, after a 3x3
    convolution of it, before it enters I = [X, H]; or I itself, by a factor that is normalised over
    (D, h, w), as in the authors' code.

    Args:
        inputs: Channels d_x of the input state.
        hidden: Channels d_s of hidden state and slot bus.
        grid: Height and width (h, w) of the maps.
        binding: Makes slots of D = inputs + hidden channels; None for a cell without slots.
        fusion: Joins the slots and I, of D channels too.
        kernel: Side of the kernels W_g, W_i, W_f, W_o.
        forget_bias: Added before the sigmoid of the forget gate.
        learned_initial_bus: Start the bus from a learned Gaussian, otherwise from zeros.
        action_features: Channels of the action's features; None for an action-free cell.
        modulates_input: An action modulates I, otherwise the hidden state.
    """

    gated = True

    def __init__(
        self,
        inputs: int,
        hidden: int,
        grid: tuple[int, int],
        *,
        binding: SlotBinding | None,
        fusion: SlotFusion,
        kernel: int,
        forget_bias: float,
        learned_initial_bus: bool,
        action_features: int | None,
        modulates_input: bool,
    ) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid), "bus": (hidden, *grid)}
        self.flow = {}
        self.forget_bias = forget_bias
        self.binding, self.fusion = binding, fusion
        both = inputs + hidden
        self.gates = nn.Conv2d(2 * both, 4 * hidden, kernel, padding=kernel // 2)
        self.recall, self.modulation = None, None
        if action_features is not None and modulates_input:
            norm = nn.LayerNorm([both, *grid])
            self.modulation = ActionModulation(action_features, both, 3, norm, neutral=False)
        elif action_features is not None:
            self.recall = nn.Conv2d(hidden, hidden, 3, padding=1)
            self.modulation = ActionModulation(action_features, hidden, 3, None)
        self.bus_mean, self.bus_log_std = None, None
        if learned_initial_bus:
            self.bus_mean = nn.Parameter(torch.zeros(hidden))
            self.bus_log_std = nn.Parameter(torch.full((hidden,), -2.0))

    def initial(
        self, batch: int, device: torch.device | str, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """See `RecurrentLayer.initial`; a learned bus is drawn in training, else at its mean."""
        state = super().initial(batch, device, dtype)
        if self.bus_mean is None or self.bus_log_std is None:
            return state
        bus = state["bus"] + self.bus_mean[:, None, None]
        if self.training:
            bus = bus + self.bus_log_std.exp()[:, None, None] * torch.randn_like(bus)
        return {**state, "bus": bus}

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        bus = own["bus"]
        both = self._joined(x, own["hidden"], action)
        fused = self.fusion(both, None if self.binding is None else self.binding(both, bus))
        g, i, f, o = self.gates(torch.cat((fused, both), dim=1)).chunk(4, dim=1)  # Eqn. 7.
        gained = torch.sigmoid(packed(i)) * torch.tanh(packed(g))
        bus = torch.addcmul(gained, torch.sigmoid(f + self.forget_bias), bus)
        gate = torch.sigmoid(packed(o))
        hidden = gate * torch.tanh(bus)
        return LayerOutput(hidden, {"hidden": hidden, "bus": bus}, {}, gate)

    def _joined(self, x: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        """I = [X, H] under the action. Shape (B, D, h, w)."""
        if self.recall is None:
            return modulated(torch.cat((x, hidden), dim=1), self.modulation, action)
        return torch.cat((x, modulated(once(self.recall, hidden), self.modulation, action)), dim=1)
