"""The recurrent unit of MoDeRNN: a ConvLSTM whose input and context attend to each other first."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated
from worldmodel.layers.convolution import convolution
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer

_SIDES = (3, 5, 7)
_SCALE = 2.0
"""Constant s: an attention of one half leaves the maps as they are."""


@final
class DetailAttention(nn.Module):
    """An attention map from three convolutions of different reach (MoDeRNN, equation 2).

    Args:
        inputs: Channels of the maps that attend.
        outputs: Channels of the maps that are attended to.
        grid: Height and width (h, w) of the maps.
    """

    def __init__(self, inputs: int, outputs: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            convolution(inputs, outputs, kernel=side, grid=grid, normalise=True) for side in _SIDES
        )

    def forward(self, x: Tensor) -> Tensor:
        """Factors in (0, 2), shape (B, outputs, h, w), from maps (B, inputs, h, w)."""
        mean = torch.stack([conv(x) for conv in self.convs]).mean(dim=0)
        return _SCALE * torch.sigmoid(mean)


@final
class DetailContextBlock(nn.Module):
    """DCB: input and context weigh each other in turn, with one set of weights for all turns.

    Follows the text of MoDeRNN and the authors' code, where equation (2) as printed swaps the maps
    that are weighed.

    Args:
        inputs: Channels of the input.
        hidden: Channels of the context, which is the hidden state.
        grid: Height and width (h, w) of the maps.
        half_steps: How often a map is weighed; the odd times it is the input.
    """

    def __init__(self, inputs: int, hidden: int, grid: tuple[int, int], *, half_steps: int) -> None:
        super().__init__()
        self.by_context = DetailAttention(hidden, inputs, grid)
        self.by_input = DetailAttention(inputs, hidden, grid)
        self.half_steps = half_steps

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Input (B, inputs, h, w) and context (B, hidden, h, w), both weighed."""
        for half_step in range(self.half_steps):
            if half_step % 2 == 0:
                x = self.by_context(context) * x
            else:
                context = self.by_input(x) * context
        return x, context


@final
class DetailCell(RecurrentLayer):
    """One layer of MoDeRNN (equation 3), with the layer normalisation of the authors' code.

    They normalise the cell, too, and it is the normalised cell that is kept. Its own state is
    `hidden` and `cell`; nothing flows between layers but the hidden state.

    Args:
        inputs: Channels of the input.
        hidden: Channels of hidden state and cell.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the gates' kernels.
        half_steps: Of the detail context block.
        forget_bias: Added before the sigmoid of the forget gate.
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
        half_steps: int,
        forget_bias: float,
        action_features: int | None,
    ) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid), "cell": (hidden, *grid)}
        self.flow = {}
        self.hidden, self.forget_bias = hidden, forget_bias
        self.details = DetailContextBlock(inputs, hidden, grid, half_steps=half_steps)
        conv = partial(convolution, kernel=kernel, grid=grid, normalise=True)
        self.conv_x = conv(inputs, 4 * hidden)
        self.conv_h = conv(hidden, 4 * hidden)
        self.norm_cell = nn.LayerNorm([hidden, *grid])
        norm = nn.LayerNorm([4 * hidden, *grid])
        self.modulation = action_modulation(action_features, 4 * hidden, kernel=kernel, norm=norm)

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        x, context = self.details(x, own["hidden"])
        path = modulated(self.conv_h(context), self.modulation, action)
        i, f, g, o = (self.conv_x(x) + path).split(self.hidden, dim=1)
        cell = torch.sigmoid(f + self.forget_bias) * own["cell"] + torch.sigmoid(i) * torch.tanh(g)
        cell, gate = self.norm_cell(cell), torch.sigmoid(o)
        hidden = gate * torch.tanh(cell)
        return LayerOutput(hidden, {"hidden": hidden, "cell": cell}, {}, gate)
