"""Eidetic 3D LSTM: a recurrent cell on short windows that recalls all its past memories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated
from worldmodel.layers.convolution import layer_norm
from worldmodel.layers.eidetic_recall import eidetic_recall, openstl_recall
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer
from worldmodel.layers.window_convolution import WindowConvolution


@final
class E3DLSTMCell(RecurrentLayer):
    """One E3D-LSTM (Wang et al., ICLR 2019), or what OpenSTL's code makes of it.

    Its own state is `hidden` and `history`: the cell states of all steps so far, each folded,
    shape (B, n, hidden . window, h, w) with n growing by one per step from the initial zeros; the
    last one is the cell. The bottom layer also keeps the inputs that share a window with the next
    one, `past`, shape (B, window - 1, inputs, h, w). The flow is the global `memory`. An action
    modulates the hidden path of every slice by a factor of its own. For how a window travels see
    `worldmodel.layers.window_convolution`.

    OpenSTL's code differs: the convolutions see the window once and repeat the result over its
    slices, the recall mixes up channels and positions, and nothing has a bias. As in the authors'
    code, the output gate passes a tanh, the forget gate weighs a tanh of what `conv_m` makes of the
    global memory, and the new global memory is never passed on (an error which, say the authors,
    was not in their experiments): it enters as zeros, of which normalisation leaves a constant.

    Args:
        inputs: Channels of each slice of the input.
        hidden: Channels of each slice of hidden state, cell and global memory.
        grid: Height and width (h, w) of the maps.
        window: Slices; also the depth of the kernels.
        kernel: Side of the kernels.
        memory_window: Most recent cell states that are kept and recalled; None for all.
        normalise: Layer normalisation over (C, window, h, w) after the convolutions.
        forget_bias: Added before the sigmoid of the global memory's forget gate.
        bottom: The input is one map, which the cell joins with those before it.
        openstl: Compute as OpenSTL.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    gated = True

    def __init__(
        self,
        inputs: int,
        hidden: int,
        grid: tuple[int, int],
        *,
        window: int,
        kernel: int,
        memory_window: int | None,
        normalise: bool,
        forget_bias: float,
        bottom: bool,
        openstl: bool,
        action_features: int | None,
    ) -> None:
        super().__init__()
        folded = hidden * window
        past = {"past": (window - 1, inputs, *grid)} if bottom else {}
        self.own = {"hidden": (folded, *grid), "history": (1, folded, *grid), **past}
        self.flow = {} if openstl else {"memory": (folded, *grid)}
        self.hidden, self.folded, self.memory_window = hidden, folded, memory_window
        self.forget_bias, self.bottom, self.openstl = forget_bias, bottom, openstl

        def norm(channels: int) -> nn.Module | None:
            return layer_norm(channels * window, grid, wanted=normalise)

        def conv(channels: int, outputs: int, *, bias: bool = False) -> WindowConvolution:
            return WindowConvolution(
                channels,
                outputs,
                window,
                depth=window,
                side=kernel,
                norm=norm(outputs),
                bias=bias,
                repeat=openstl,
            )

        self.conv_x = conv(inputs, 7 * hidden, bias=not openstl)
        self.conv_h = conv(hidden, 4 * hidden)
        self.conv_m = None if openstl else conv(hidden, 3 * hidden)
        self.memory_gates = None
        if openstl and normalise:
            self.memory_gates = nn.Parameter(torch.zeros(4 * folded, *grid))
        self.output_c = conv(hidden, hidden)
        self.output_m = conv(hidden, hidden)
        self.norm = nn.LayerNorm([folded, *grid])
        self.conv_last = WindowConvolution(2 * hidden, hidden, window, depth=1, side=1)
        self.modulation = action_modulation(
            action_features, 4 * folded, kernel=kernel, norm=norm(4 * hidden)
        )

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        past = {}
        if self.bottom:
            window = torch.cat((own["past"], x[:, None]), dim=1)
            x, past = window.transpose(1, 2).flatten(1, 2), {"past": window[:, 1:]}
        gates, memory_gates = self.conv_x(x).split((4 * self.folded, 3 * self.folded), dim=1)
        path = modulated(self.conv_h(own["hidden"]), self.modulation, action)
        i, g, r, o = (gates + path).split(self.folded, dim=1)

        history = own["history"]
        recall = openstl_recall if self.openstl else eidetic_recall
        kept = history[:, -1] + recall(torch.sigmoid(r), history, self.hidden)
        cell = torch.sigmoid(i) * torch.tanh(g) + self.norm(kept)
        memory = self._memory(memory_gates, flow)

        o = o + self.output_c(cell) + self.output_m(memory)
        gate = torch.sigmoid(torch.tanh(o) if self.openstl else o)
        hidden = gate * torch.tanh(self.conv_last(torch.cat((cell, memory), dim=1)))
        longer = torch.cat((history, cell[:, None]), dim=1)
        if self.memory_window is not None:
            longer = longer[:, -self.memory_window :]
        return LayerOutput(
            hidden,
            {"hidden": hidden, "history": longer, **past},
            {} if self.openstl else {"memory": memory},
            gate,
        )

    def _memory(self, gates: Tensor, flow: Mapping[str, Tensor]) -> Tensor:
        """The global memory from the input's share of its gates (B, 3 hidden . window, h, w)."""
        if self.conv_m is not None:
            i, g, f = (gates + self.conv_m(flow["memory"])).split(self.folded, dim=1)
            forget = torch.sigmoid(f + self.forget_bias)
            return forget * flow["memory"] + torch.sigmoid(i) * torch.tanh(g)
        i, g, f = gates.split(self.folded, dim=1)
        if self.memory_gates is None:
            return torch.sigmoid(i) * torch.tanh(g)
        i_m, f_m, g_m, m = self.memory_gates.split(self.folded)
        forget = torch.sigmoid(f + f_m + self.forget_bias)
        return forget * torch.tanh(m) + torch.sigmoid(i + i_m) * torch.tanh(g + g_m)
