"""ConvLSTM whose only memory zigzags through the layers: the unit of PredRNN-M-Only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from torch import Tensor

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated
from worldmodel.layers.convolution import convolution, layer_norm
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer


@final
class MemoryFlowCell(RecurrentLayer):
    """One ConvLSTM under the spatiotemporal memory flow (PredRNN-V2, equation 3).

    The flow is `memory` and `hidden`: both come from the layer below, and for the bottom layer from
    the top layer at the previous step. Only the bottom layer sees the frame. Its own state is its
    `hidden`, which it does not read again.

    Args:
        inputs: Channels of the frame's features for the bottom layer; None for the others.
        hidden: Channels of hidden state and memory.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the kernels.
        normalise: Layer normalisation over (C, h, w) after every convolution.
        bias: Convolutions have a bias.
        forget_bias: Added before the sigmoid of the forget gate.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    gated = True

    def __init__(
        self,
        inputs: int | None,
        hidden: int,
        grid: tuple[int, int],
        *,
        kernel: int,
        normalise: bool,
        bias: bool,
        forget_bias: float,
        action_features: int | None,
    ) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid)}
        self.flow = {"memory": (hidden, *grid), "hidden": (hidden, *grid)}
        self.hidden, self.forget_bias = hidden, forget_bias
        conv = partial(convolution, kernel=kernel, grid=grid, normalise=normalise, bias=bias)
        self.conv_x = None if inputs is None else conv(inputs, 4 * hidden)
        self.conv_h = conv(hidden, 4 * hidden)
        self.conv_m = conv(hidden, 2 * hidden)
        self.conv_o = conv(hidden, hidden)
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
        path = modulated(self.conv_h(flow["hidden"]), self.modulation, action)
        if self.conv_x is not None:
            path = path + self.conv_x(x)
        i, f, g, o = path.split(self.hidden, dim=1)
        i_m, f_m = self.conv_m(flow["memory"]).split(self.hidden, dim=1)
        forget = torch.sigmoid(f + f_m + self.forget_bias)
        memory = forget * flow["memory"] + torch.sigmoid(i + i_m) * torch.tanh(g)
        gate = torch.sigmoid(o + self.conv_o(memory))
        hidden = gate * torch.tanh(memory)
        return LayerOutput(hidden, {"hidden": hidden}, {"memory": memory, "hidden": hidden}, gate)
