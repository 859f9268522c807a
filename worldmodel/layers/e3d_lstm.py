"""Eidetic 3D LSTM: a recurrent cell on short windows that recalls all its past memories.

A window of `window` maps travels as one map whose channels are (channel, slice), slices from the
oldest to the newest, so that states and actions need not know about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, ActionModulation, modulated
from worldmodel.layers.convolution import layer_norm
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer


@final
class WindowConvolution(nn.Module):
    """A 3-D convolution over a window that lies in the channels, and a normalisation.

    Computed as a 2-D convolution of every run of `depth` slices, its weights folded likewise.

    Args:
        inputs: Channels of each slice.
        outputs: Channels of each slice of the result.
        window: Slices.
        depth: Slices that the kernel spans.
        side: Side of the kernel; odd.
        norm: Applied to the result, or None.
        bias: The convolution has a bias.
        repeat: The kernel spans the window; take that one run and repeat the result over the
            slices (OpenSTL). Otherwise the window is padded with zeros to as many runs as slices;
            of an odd number of them, more come after the newest slice (the authors' code).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        window: int,
        *,
        depth: int,
        side: int,
        norm: nn.Module | None = None,
        bias: bool = False,
        repeat: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs * depth, outputs, side, padding=side // 2, bias=bias)
        self.norm = nn.Identity() if norm is None else norm
        self.window, self.depth = window, depth
        self.margins = (0, 0) if repeat else ((depth - 1) // 2, depth // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, inputs . window, h, w) to (B, outputs . window, h, w)."""
        slices = x.unflatten(1, (-1, self.window))
        slices = nn.functional.pad(slices, (0, 0, 0, 0, *self.margins))
        starts = range(slices.shape[2] - self.depth + 1)
        runs = torch.stack([slices[:, :, z : z + self.depth] for z in starts], dim=1)
        y = self.conv(runs.flatten(2, 3).flatten(0, 1)).unflatten(0, (-1, len(starts)))
        repeated = y.transpose(1, 2).expand(-1, -1, self.window, -1, -1)
        return self.norm(repeated.flatten(1, 2))


@final
class E3DLSTMCell(RecurrentLayer):
    """One E3D-LSTM (Wang et al., ICLR 2019), or what OpenSTL's code makes of it.

    Its own state is `hidden` and `history`: the cell states of all steps so far, each folded,
    shape (B, n, hidden . window, h, w) with n growing by one per step from the initial zeros; the
    last one is the cell. The bottom layer also keeps the inputs that share a window with the next
    one, `past`, shape (B, window - 1, inputs, h, w). The flow is the global `memory`. An action
    modulates the hidden path of every slice by a factor of its own.

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
        self.modulation = None
        if action_features is not None:
            self.modulation = ActionModulation(
                action_features, 4 * folded, kernel, norm(4 * hidden)
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


def eidetic_recall(query: Tensor, history: Tensor, channels: int) -> Tensor:
    """RECALL(R, C) = softmax(R . C^T) . C over all positions of all slices of all memories.

    Args:
        query: Recall gate R. Shape (B, channels . window, h, w).
        history: Memories C. Shape (B, n, channels . window, h, w).
        channels: Channels of each slice.

    Returns:
        What every position of the query recalls, shaped as the query.
    """
    tokens = query.unflatten(1, (channels, -1)).flatten(2).transpose(1, 2)
    memories = history.unflatten(2, (channels, -1)).flatten(3).transpose(2, 3).flatten(1, 2)
    return _attention(tokens, memories).transpose(1, 2).reshape(query.shape)


def openstl_recall(query: Tensor, history: Tensor, channels: int) -> Tensor:
    """`eidetic_recall` as OpenSTL computes it.

    It cuts maps whose channels come first into runs of as many numbers as there are channels: a
    token is then a piece of one channel, not the channels of one position.
    """
    tokens, memories = (maps.reshape(maps.shape[0], -1, channels) for maps in (query, history))
    return _attention(tokens, memories).reshape(query.shape)


def _attention(tokens: Tensor, memories: Tensor) -> Tensor:
    """Unscaled dot-product attention of tokens (B, q, d) over memories (B, k, d).

    Fused, on the CPU too, which takes contiguous tensors: the q x k weights of a long history are
    not worth keeping.
    """
    query, memory = tokens[:, None].contiguous(), memories[:, None].contiguous()
    return nn.functional.scaled_dot_product_attention(query, memory, memory, scale=1.0)[:, 0]
