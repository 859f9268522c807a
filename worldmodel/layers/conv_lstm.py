"""Convolutional LSTM, as OpenSTL computes it."""

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
class ConvLSTMCell(RecurrentLayer):
    """One ConvLSTM (Shi et al., NeurIPS 2015; PredRNN-V2, equation 2), no peepholes, no bias.

    Its own state is `hidden` and `cell`; nothing flows between layers but the hidden state.

    Args:
        inputs: Channels of the input.
        hidden: Channels of hidden state and cell.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the kernels.
        normalise: Layer normalisation over (C, h, w) after both convolutions.
        forget_bias: Added before the sigmoid of the forget gate.
        legacy: The output is o . g instead of o . tanh(C): the cell never reaches it.
        action_features: Channels of the action's features; None for an action-free cell.
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
        forget_bias: float,
        legacy: bool,
        action_features: int | None,
    ) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid), "cell": (hidden, *grid)}
        self.flow = {}
        self.hidden, self.forget_bias, self.legacy = hidden, forget_bias, legacy
        conv = partial(convolution, kernel=kernel, grid=grid, normalise=normalise)
        self.conv_x = conv(inputs, 4 * hidden)
        self.conv_h = conv(hidden, 4 * hidden)
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
        path = modulated(self.conv_h(own["hidden"]), self.modulation, action)
        i, f, g, o = (self.conv_x(x) + path).split(self.hidden, dim=1)
        gate, candidate = torch.sigmoid(o), torch.tanh(g)
        cell = torch.sigmoid(f + self.forget_bias) * own["cell"] + torch.sigmoid(i) * candidate
        hidden = gate * (candidate if self.legacy else torch.tanh(cell))
        return LayerOutput(hidden, {"hidden": hidden, "cell": cell}, {}, gate)
