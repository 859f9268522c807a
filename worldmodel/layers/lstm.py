"""Long short-term memory on vectors, whose hidden path an action modulates."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated


@final
class LSTMCell(nn.Module):
    """One LSTM on vectors, gates in the order i, f, g, o; without actions, `torch.nn.LSTMCell`.

    Args:
        inputs: Width of the input.
        hidden: Width of hidden state and cell.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    def __init__(self, inputs: int, hidden: int, action_features: int | None) -> None:
        super().__init__()
        self.input_path = nn.Linear(inputs, 4 * hidden)
        self.hidden_path = nn.Linear(hidden, 4 * hidden)
        self.modulation = action_modulation(action_features, 4 * hidden)

    def forward(
        self, x: Tensor, hidden: Tensor, cell: Tensor, action: ActionFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """Hidden state and cell (B, hidden) after the input (B, inputs)."""
        path = modulated(self.hidden_path(hidden)[:, :, None, None], self.modulation, action)
        i, f, g, o = (self.input_path(x) + path.flatten(1)).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell


@final
class LSTMStack(nn.Module):
    """A linear embedding and LSTM cells above each other.

    Args:
        inputs: Width of the input.
        hidden: Width of the embedding and of every cell.
        layers: Cells L.
        action_features: Channels of the action's features; None for an action-free stack.

    Attributes:
        state: Shape (L, 2, hidden) of a state without the batch: hidden state and cell by layer.
    """

    def __init__(self, inputs: int, hidden: int, layers: int, action_features: int | None) -> None:
        super().__init__()
        self.state = (layers, 2, hidden)
        self.embedding = nn.Linear(inputs, hidden)
        self.cells = nn.ModuleList(LSTMCell(hidden, hidden, action_features) for _ in range(layers))

    def forward(
        self, x: Tensor, state: Tensor, action: ActionFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """The top hidden state (B, hidden) and the state (B, L, 2, hidden) after (B, inputs)."""
        x = self.embedding(x)
        new: list[Tensor] = []
        for cell, own in zip(self.cells, state.unbind(1), strict=True):
            x, memory = cell(x, *own.unbind(1), action)
            new.append(torch.stack((x, memory), dim=1))
        return x, torch.stack(new, dim=1)
