"""Trajectory GRU: a convolutional GRU whose recurrent connections move with the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated
from worldmodel.layers.bilinear import sampled
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer


def warp(maps: Tensor, flows: Tensor) -> Tensor:
    """Maps seen along flows: bilinear samples beside every position, zero beyond the border.

    Args:
        maps: Shape (B, C, h, w).
        flows: Where to look from each position along each of L links: to the right, then down, in
            positions of the grid. Shape (B, L, 2, h, w).

    Returns:
        Shape (B, C, L, h, w).
    """
    height, width = maps.shape[2:]
    right, down = flows.unbind(dim=2)
    rows = down + torch.arange(height, device=maps.device, dtype=maps.dtype)[:, None]
    columns = right + torch.arange(width, device=maps.device, dtype=maps.dtype)
    return sampled(maps, rows.flatten(1, 2), columns.flatten(1, 2)).unflatten(2, (-1, height))


@final
class TrajGRUCell(RecurrentLayer):
    """One TrajGRU (Shi et al., NeurIPS 2017), with the sizes and biases of the authors' code.

    A two-layer network of input and hidden state generates L flows. The hidden state, warped along
    all of them, takes the place of the neighbourhood that a convolution would see: it enters the
    three paths of the GRU through a 1x1 convolution.

    The authors' code starts with flows of zero; they start next to zero here, which leaves no
    parameter without a gradient. Its flows point the other way.

    Its own state is `hidden`. A GRU has no output gate.

    Args:
        inputs: Channels of the input.
        hidden: Channels of the hidden state.
        grid: Height and width (h, w) of the maps.
        kernel: Side of the input's kernels.
        links: Flows L.
        flow_features: Channels between the two layers that generate the flows.
        flow_kernel: Side of the kernels of these layers.
        negative_slope: Of the leaky rectifier of candidate state and flow generator.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        grid: tuple[int, int],
        *,
        kernel: int,
        links: int,
        flow_features: int,
        flow_kernel: int,
        negative_slope: float,
        action_features: int | None,
    ) -> None:
        super().__init__()
        self.own = {"hidden": (hidden, *grid)}
        self.flow = {}
        self.conv_x = _conv(inputs, 3 * hidden, kernel)
        self.project = _conv(links * hidden, 3 * hidden, 1)
        self.flow_x = _conv(inputs, flow_features, flow_kernel)
        self.flow_h = _conv(hidden, flow_features, flow_kernel)
        self.flow_out = _conv(flow_features, 2 * links, flow_kernel)
        for parameter in self.flow_out.parameters():
            nn.init.normal_(parameter, std=1e-3)
        self.activation = nn.LeakyReLU(negative_slope)
        self.modulation = action_modulation(action_features, 3 * hidden, kernel=kernel)

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        hidden = own["hidden"]
        warped = warp(hidden, self.flows(x, hidden)).flatten(1, 2)
        path = modulated(self.project(warped), self.modulation, action)
        r_x, z_x, candidate_x = self.conv_x(x).chunk(3, dim=1)
        r_h, z_h, candidate_h = path.chunk(3, dim=1)
        reset, update = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        candidate = self.activation(candidate_x + reset * candidate_h)
        hidden = update * hidden + (1 - update) * candidate
        return LayerOutput(hidden, {"hidden": hidden}, {})

    def flows(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Flows of input (B, inputs, h, w) and hidden state, for `warp`. Shape (B, L, 2, h, w)."""
        features = self.activation(self.flow_x(x) + self.flow_h(hidden))
        return self.flow_out(features).unflatten(1, (-1, 2))


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
