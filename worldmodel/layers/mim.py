"""Memory in Memory: the recurrent block of MIM and the two cascaded modules inside it."""

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
class MemoryModule(nn.Module):
    """A ConvLSTM whose gates see its memory through one weight per channel and position.

    MIM-N and MIM-S (Wang et al., CVPR 2019) as in the authors' code: MIM-N's recurrent path is its
    last output, MIM-S's the cell. In the paper's equations MIM-N convolves its memory instead of
    its output, and the memory of MIM-S reaches its output gate only, by a convolution.

    Args:
        hidden: Channels of input, recurrent path and memory.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the kernels.
        normalise: Layer normalisation over (C, h, w) after every convolution.
        forget_bias: Added before the sigmoid of the forget gate.
    """

    def __init__(
        self,
        hidden: int,
        grid: tuple[int, int],
        *,
        kernel: int,
        normalise: bool,
        forget_bias: float,
    ) -> None:
        super().__init__()
        self.hidden, self.forget_bias = hidden, forget_bias
        conv = partial(convolution, kernel=kernel, grid=grid, normalise=normalise)
        self.conv_x, self.conv_h = conv(hidden, 4 * hidden), conv(hidden, 4 * hidden)
        self.peephole = nn.Parameter(torch.zeros(2 * hidden, *grid))
        self.output_peephole = nn.Parameter(torch.zeros(hidden, *grid))

    def forward(self, x: Tensor, recurrent: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """One step from input, recurrent path and memory, all (B, hidden, h, w).

        Returns:
            The output and the new memory, shaped alike.
        """
        i, g, f, o = (self.conv_x(x) + self.conv_h(recurrent)).split(self.hidden, dim=1)
        i_memory, f_memory = (memory.repeat(1, 2, 1, 1) * self.peephole).split(self.hidden, dim=1)
        forget = torch.sigmoid(f + f_memory + self.forget_bias)
        memory = forget * memory + torch.sigmoid(i + i_memory) * torch.tanh(g)
        return torch.sigmoid(o + memory * self.output_peephole) * torch.tanh(memory), memory


_STARTED = {"started": (1, 1, 1)}


@final
class MIMBlock(RecurrentLayer):
    """One MIM block (Wang et al., CVPR 2019), as in the authors' code.

    An ST-LSTM whose forget gate of the cell is replaced by two memories: MIM-N turns the change of
    the layer below into D, MIM-S turns D and the cell into T, and T is what the cell keeps.

    Where the paper's equations differ: they give each branch weights of its own for the input
    (shared here), let the output gate see the new cell and memory by convolutions (here the old
    memory, together with its other gates), and feed every MIM-N with the change of the hidden state
    below (here only the lowest; those above it take the D of the block below).

    Its own state is `hidden`, `cell` C, `difference` D and `nonstationary` memory N of MIM-N,
    `stationary` memory S of MIM-S, and `started`: 0 before the first frame, which has no change
    yet and leaves D and N at zero, and 1 from then on. The lowest block also keeps its last input
    `below`. The flow is the spatiotemporal `memory`; D goes up as `difference`, within a step.

    Args:
        hidden: Channels of input, hidden state and all memories.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the kernels.
        normalise: Layer normalisation over (C, h, w) after every k x k convolution.
        forget_bias: Added before the sigmoid of all forget gates.
        lowest: There is no MIM block below, so MIM-N takes the change of this block's input.
        stationary_gradient: Let gradients pass through time in the stationary memory.
        action_features: Channels of the action's features; None for an action-free block.
    """

    gated = True

    def __init__(
        self,
        hidden: int,
        grid: tuple[int, int],
        *,
        kernel: int,
        normalise: bool,
        forget_bias: float,
        lowest: bool,
        stationary_gradient: bool,
        action_features: int | None,
    ) -> None:
        super().__init__()
        names = ["hidden", "cell", "difference", "nonstationary", "stationary"]
        shape = (hidden, *grid)
        self.own = {**dict.fromkeys([*names, "below"] if lowest else names, shape), **_STARTED}
        self.flow = {"memory": shape}
        self.hidden, self.forget_bias = hidden, forget_bias
        self.lowest, self.stationary_gradient = lowest, stationary_gradient
        conv = partial(convolution, kernel=kernel, grid=grid, normalise=normalise)
        self.conv_x = conv(hidden, 4 * hidden)
        self.conv_h = conv(hidden, 3 * hidden)
        self.conv_m = conv(hidden, 4 * hidden)
        self.conv_last = nn.Conv2d(2 * hidden, hidden, 1, bias=False)
        self.nonstationary, self.stationary = (
            MemoryModule(hidden, grid, kernel=kernel, normalise=normalise, forget_bias=forget_bias)
            for _ in range(2)
        )
        norm = layer_norm(3 * hidden, grid, wanted=normalise)
        self.modulation = action_modulation(action_features, 3 * hidden, kernel=kernel, norm=norm)

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        i_x, g_x, f_x, o_x = self.conv_x(x).split(self.hidden, dim=1)
        path = modulated(self.conv_h(own["hidden"]), self.modulation, action)
        i_h, g_h, o_h = path.split(self.hidden, dim=1)
        i_m, g_m, f_m, o_m = self.conv_m(flow["memory"]).split(self.hidden, dim=1)

        kept, memories = self._kept(x, own, flow)
        cell_increment = torch.sigmoid(i_x + i_h) * torch.tanh(g_x + g_h)
        cell = kept + cell_increment
        memory_increment = torch.sigmoid(i_x + i_m) * torch.tanh(g_x + g_m)
        memory = torch.sigmoid(f_x + f_m + self.forget_bias) * flow["memory"] + memory_increment

        gate = torch.sigmoid(o_x + o_h + o_m)
        hidden = gate * torch.tanh(self.conv_last(torch.cat((cell, memory), dim=1)))
        return LayerOutput(
            hidden,
            {"hidden": hidden, "cell": cell, **memories},
            {"memory": memory, "difference": memories["difference"]},
            gate,
            (cell_increment, memory_increment),
        )

    def _kept(
        self, x: Tensor, own: Mapping[str, Tensor], flow: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """T, shaped as the cell, and the new state of MIM-N and MIM-S."""
        change = x - own["below"] if self.lowest else flow["difference"]
        difference, nonstationary = (
            own["started"] * new
            for new in self.nonstationary(change, own["difference"], own["nonstationary"])
        )
        stationary = own["stationary"]
        if not self.stationary_gradient:
            stationary = stationary.detach()
        kept, stationary = self.stationary(difference, own["cell"], stationary)
        memories = {
            "difference": difference,
            "nonstationary": nonstationary,
            "stationary": stationary,
            "started": torch.ones_like(own["started"]),
        }
        return kept, {**memories, "below": x} if self.lowest else memories
