"""Gated recurrent units side by side, under an action."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation
from worldmodel.layers.group_linear import GroupLinear, uniform_


@final
class GroupGRU(nn.Module):
    """As many GRUs as there are vectors, the g-th for the g-th vector.

    The equations are torch's, which differ from (3.6) to (3.9) of the thesis in the side of the
    update gate and in resetting after the recurrent product. Gate order: reset, update, candidate.
    An action modulates the hidden path of all three.

    Args:
        groups: Number G of GRUs.
        inputs: Width of an input.
        hidden: Width D of a hidden state.
        action_features: Channels of the action's features; None without actions.
    """

    def __init__(
        self, groups: int, inputs: int, hidden: int, *, action_features: int | None
    ) -> None:
        super().__init__()
        self.groups = groups
        self.input_path = GroupLinear(groups, inputs, 3 * hidden, bias=True)
        self.hidden_path = GroupLinear(groups, hidden, 3 * hidden, bias=True)
        for path in (self.input_path, self.hidden_path):
            uniform_(path, hidden)
        self.modulation = action_modulation(action_features, groups * 3 * hidden)

    def forward(self, x: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        """One step from inputs (B, ..., G, inputs) and states (B, ..., G, D) to new states."""
        path = self.hidden_path(hidden)
        if self.modulation is not None and action is not None:
            between = [1] * (path.ndim - 3)
            path = path * self.modulation(action).view(path.shape[0], *between, self.groups, -1)
        r_x, z_x, n_x = self.input_path(x).chunk(3, dim=-1)
        r_h, z_h, n_h = path.chunk(3, dim=-1)
        update = torch.sigmoid(z_x + z_h)
        candidate = torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
        return (1 - update) * candidate + update * hidden
