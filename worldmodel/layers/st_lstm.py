"""Spatiotemporal LSTM: the recurrent unit of PredRNN."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, sums_under_action
from worldmodel.layers.convolution import convolution, layer_norm, once
from worldmodel.layers.gates import updated
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer


@final
class STLSTMCell(RecurrentLayer):
    """One ST-LSTM (PredRNN, equation 4), with the output gate of the authors' code.

    Its own state is `hidden` and `cell`; the flow is the spatiotemporal `memory`. A cell that does
    not read the flow has nothing to forget in it: its memory is what enters, i' . g'.

    Args:
        inputs: Channels of the input.
        hidden: Channels of hidden state, cell and spatiotemporal memory.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the kernels.
        normalise: Layer normalisation over (C, h, w) after every convolution.
        bias: Convolutions have a bias.
        forget_bias: Added before the sigmoid of both forget gates.
        action_features: Channels of the action's features; None for an action-free cell.
        reads_memory: The memory of the layer below, or for the bottom layer that of the top layer
            at the previous step, enters this cell.
    """

    gated = True

    def __init__(
        self,
        inputs: int,
        hidden: int,
        grid: tuple[int, int],
        *,
        kernel: int,
        normalise: bool,
        bias: bool,
        forget_bias: float,
        action_features: int | None,
        reads_memory: bool = True,
    ) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid), "cell": (hidden, *grid)}
        self.flow = {"memory": (hidden, *grid)} if reads_memory else {}
        self.hidden, self.forget_bias = hidden, forget_bias
        self._gates = (3 * hidden, (3 if reads_memory else 2) * hidden, hidden)
        conv = partial(convolution, kernel=kernel, grid=grid, normalise=normalise, bias=bias)
        self.conv_x = conv(inputs, sum(self._gates))
        self.conv_h = conv(hidden, 4 * hidden)
        self.conv_m = conv(hidden, 3 * hidden) if reads_memory else None
        self.conv_o = conv(2 * hidden, hidden)
        self.conv_last = nn.Conv2d(2 * hidden, hidden, 1, bias=bias)
        norm = layer_norm(4 * hidden, grid, wanted=normalise)
        self.modulation = action_modulation(action_features, 4 * hidden, kernel=kernel, norm=norm)

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        x_cell, x_memory, x_output = once(self.conv_x, x).split(self._gates, dim=1)
        path = once(self.conv_h, own["hidden"])
        gates, output = sums_under_action((x_cell, x_output), path, self.modulation, action)
        cell, cell_increment = updated(gates, own["cell"], self.forget_bias)
        memory, memory_increment = self._memory(x_memory, flow)

        both = torch.cat((cell, memory), dim=1).to(path.dtype)
        gate = torch.sigmoid(output + self.conv_o(both))
        hidden = gate * torch.tanh(self.conv_last(both))
        return LayerOutput(
            hidden,
            {"hidden": hidden, "cell": cell},
            {"memory": memory},
            gate,
            (cell_increment, memory_increment),
        )

    def _memory(self, x: Tensor, flow: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The new memory and its increment, from the input's share of the gates and the flow."""
        if self.conv_m is None:
            i, g = x.chunk(2, dim=1)
            increment = torch.sigmoid(i) * torch.tanh(g)
            return increment, increment
        memory = flow["memory"]
        return updated(x + once(self.conv_m, memory), memory, self.forget_bias)
