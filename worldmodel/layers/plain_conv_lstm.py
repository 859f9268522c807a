"""ConvLSTM without peepholes, of which all gates are one convolution of input and hidden state."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated


@final
class PlainConvLSTMCell(nn.Module):
    """The ConvLSTM of PhyDNet (the authors' code): gates i, f, o, g, one bias, no forget bias.

    The convolution of [x, h] is written as the sum of its two halves, so that an action can
    modulate the one of the hidden state, which has the bias.

    Args:
        inputs: Channels of the input.
        hidden: Channels of hidden state and cell.
        kernel: Side of the kernels.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    def __init__(self, inputs: int, hidden: int, kernel: int, action_features: int | None) -> None:
        super().__init__()
        padding = kernel // 2
        self.input_path = nn.Conv2d(inputs, 4 * hidden, kernel, padding=padding, bias=False)
        self.hidden_path = nn.Conv2d(hidden, 4 * hidden, kernel, padding=padding)
        self.modulation = action_modulation(action_features, 4 * hidden)

    def forward(
        self, x: Tensor, hidden: Tensor, cell: Tensor, action: ActionFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """Hidden state and cell (B, hidden, h, w) after the input (B, inputs, h, w)."""
        path = modulated(self.hidden_path(hidden), self.modulation, action)
        i, f, o, g = (self.input_path(x) + path).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell
