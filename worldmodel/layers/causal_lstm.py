"""Causal LSTM and gradient highway unit: the recurrent units of PredRNN++."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated
from worldmodel.layers.convolution import convolution, layer_norm
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer


@final
class CausalLSTMCell(RecurrentLayer):
    """One causal LSTM (PredRNN++, Wang et al., ICML 2018), with the gates of the authors' code.

    A cascade: the cell is updated first, and the spatiotemporal memory from it,

        i, f, g = sigma, sigma, tanh of W * [X, H, C]            C <- f . C + i . g
        i', f' = sigma of W' * [X, C, M], g' = tanh(W' * [X, C]) M <- f' . tanh(W * M) + i' . g'
        o = tanh(W * [X, H, C, M])                               H <- o . tanh(W_1x1 * [C, M]).

    Its own state is `hidden` and `cell`; the flow is the spatiotemporal `memory`. Its output gate
    lies in (-1, 1) and is therefore no `LayerOutput.gate`.

    Args:
        inputs: Channels of the input.
        hidden: Channels of hidden state, cell and spatiotemporal memory.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the kernels.
        normalise: Layer normalisation over (C, h, w) after every convolution but the 1x1 one.
        forget_bias: Added before the sigmoid of both forget gates.
        legacy: The gates of the cell read the spatiotemporal memory instead of the cell.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        grid: tuple[int, int],
        *,
        kernel: int,
        normalise: bool,
        forget_bias: float,
        legacy: bool,
        action_features: int | None,
    ) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid), "cell": (hidden, *grid)}
        self.flow = {"memory": (hidden, *grid)}
        self.hidden, self.forget_bias, self.legacy = hidden, forget_bias, legacy
        conv = partial(convolution, kernel=kernel, grid=grid, normalise=normalise)
        self.conv_x = conv(inputs, 7 * hidden)
        self.conv_h = conv(hidden, 4 * hidden)
        self.conv_c = conv(hidden, 3 * hidden)
        self.conv_m = conv(hidden, 3 * hidden)
        self.conv_c2m = conv(hidden, 4 * hidden)
        self.conv_om = conv(hidden, hidden)
        self.conv_last = nn.Conv2d(2 * hidden, hidden, 1, bias=False)
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
        i_x, f_x, g_x, i_xm, f_xm, g_xm, o_x = self.conv_x(x).split(self.hidden, dim=1)
        path = modulated(self.conv_h(own["hidden"]), self.modulation, action)
        i_h, f_h, g_h, o_h = path.split(self.hidden, dim=1)
        read = flow["memory"] if self.legacy else own["cell"]
        i_c, f_c, g_c = self.conv_c(read).split(self.hidden, dim=1)
        forget = torch.sigmoid(f_x + f_h + f_c + self.forget_bias)
        increment = torch.sigmoid(i_x + i_h + i_c) * torch.tanh(g_x + g_h + g_c)
        cell = forget * own["cell"] + increment

        i_m, f_m, kept = self.conv_m(flow["memory"]).split(self.hidden, dim=1)
        i_cm, g_cm, f_cm, o_c = self.conv_c2m(cell).split(self.hidden, dim=1)
        forget = torch.sigmoid(f_xm + f_m + f_cm + self.forget_bias)
        increment = torch.sigmoid(i_xm + i_m + i_cm) * torch.tanh(g_xm + g_cm)
        memory = forget * torch.tanh(kept) + increment

        gate = torch.tanh(o_x + o_h + o_c + self.conv_om(memory))
        hidden = gate * torch.tanh(self.conv_last(torch.cat((cell, memory), dim=1)))
        return LayerOutput(hidden, {"hidden": hidden, "cell": cell}, {"memory": memory})


@final
class GradientHighway(RecurrentLayer):
    """A gradient highway unit (PredRNN++, Wang et al., ICML 2018).

    A quick route for the gradient through time: Z <- s . tanh(W_p * [X, Z]) + (1 - s) . Z with the
    switch s = sigma(W_s * [X, Z]). Its own state `hidden` is Z, its output; it leaves the flow
    alone and takes no action. Its weights start within 0.001 of zero (the authors' code).

    Args:
        hidden: Channels of input and output.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the kernels.
        normalise: Layer normalisation over (C, h, w) after both convolutions.
    """

    def __init__(self, hidden: int, grid: tuple[int, int], *, kernel: int, normalise: bool) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid)}
        self.flow = {}

        def conv() -> nn.Module:
            path = convolution(hidden, 2 * hidden, kernel=kernel, grid=grid, normalise=normalise)
            nn.init.uniform_(path.get_parameter("0.weight"), -1e-3, 1e-3)
            return path

        self.z_concat = conv()
        self.x_concat = conv()

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        z = own["hidden"]
        p, s = (self.x_concat(x) + self.z_concat(z)).chunk(2, dim=1)
        switch = torch.sigmoid(s)
        z = switch * torch.tanh(p) + (1 - switch) * z
        return LayerOutput(z, {"hidden": z}, {})
