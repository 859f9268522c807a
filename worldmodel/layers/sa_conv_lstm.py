"""Self-attention ConvLSTM: the recurrent unit of SA-ConvLSTM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures
from worldmodel.layers.convolution import layer_norm
from worldmodel.layers.plain_conv_lstm import PlainConvLSTMCell
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer
from worldmodel.layers.self_attention_memory import SelfAttentionMemory


@final
class SAConvLSTMCell(RecurrentLayer):
    """A ConvLSTM whose hidden state passes through a self-attention memory (SA-ConvLSTM, figure 2).

    Its own state is `hidden`, `cell` and `memory`. It exposes no gate: its output is a gate times
    the memory, without tanh.

    Args:
        inputs: Channels of the input.
        hidden: Channels of hidden state, cell and memory.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the ConvLSTM's kernels.
        key: Channels of a query and a key.
        normalise: Layer normalisation over (C, h, w) of the output on its way up, not of the
            hidden state.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        grid: tuple[int, int],
        *,
        kernel: int,
        key: int,
        normalise: bool,
        action_features: int | None,
    ) -> None:
        super().__init__()
        self.own = dict.fromkeys(("hidden", "cell", "memory"), (hidden, *grid))
        self.flow = {}
        self.lstm = PlainConvLSTMCell(inputs, hidden, kernel, action_features)
        self.attention_memory = SelfAttentionMemory(hidden, key)
        self.norm = layer_norm(hidden, grid, wanted=normalise) or nn.Identity()

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        hidden, cell = self.lstm(x, own["hidden"], own["cell"], action)
        hidden, memory = self.attention_memory(hidden, own["memory"])
        return LayerOutput(
            self.norm(hidden), {"hidden": hidden, "cell": cell, "memory": memory}, {}
        )
