"""RIM cells: modules that compete for the input, move on their own, and talk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures
from worldmodel.layers.communication import Communication
from worldmodel.layers.group_gru import GroupGRU
from worldmodel.layers.input_attention import InputAttention


@final
@dataclass(frozen=True, kw_only=True)
class CellSizes:
    """Sizes of a set of cells.

    Attributes:
        inputs: Width F of an input.
        hidden: Width D of a cell's state.
        cells: Number K of cells.
        active: Number k_a of cells that a step updates.
        key: Width of the input attention's keys.
        value: Width of its values.
        communication_heads: Heads of the communication.
        communication_key: Width of its keys per head.
        dropout: Probability of dropping an attention weight in training.
    """

    inputs: int
    hidden: int
    cells: int
    active: int
    key: int
    value: int
    communication_heads: int
    communication_key: int
    dropout: float


class Dynamics(nn.Module, ABC):
    """How cells move on from what they read."""

    @abstractmethod
    def forward(self, read: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        """New states from what was read (B, K, value) and the states (B, K, D)."""


@final
class OwnGRUs(Dynamics):
    """A GRU of its own for every cell (thesis, equation 3.17).

    Args:
        sizes: Sizes of the cells.
        action_features: Channels of the action's features; None without actions.
    """

    def __init__(self, sizes: CellSizes, action_features: int | None) -> None:
        super().__init__()
        self.gru = GroupGRU(sizes.cells, sizes.value, sizes.hidden, action_features=action_features)

    def forward(self, read: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        """See `Dynamics.forward`."""
        return self.gru(read, hidden, action)


@final
class RIMCell(nn.Module):
    """One step of K recurrent independent mechanisms (thesis, equations 3.13 to 3.18).

    As in the code of the thesis, an idle cell speaks in the communication with the state that it
    would have moved to without input, and no gradient flows through that state.

    Choices of cells and rules turn over on rounding errors, so a step takes no part in automatic
    mixed precision.

    Args:
        sizes: Sizes of the cells.
        dynamics: How cells move on.
        shared: All cells share the projections of both attentions.
    """

    def __init__(self, sizes: CellSizes, dynamics: Dynamics, *, shared: bool) -> None:
        super().__init__()
        cells = None if shared else sizes.cells
        self.attention = InputAttention(
            sizes.inputs,
            sizes.hidden,
            key=sizes.key,
            value=sizes.value,
            active=sizes.active,
            cells=cells,
            dropout=sizes.dropout,
        )
        self.dynamics = dynamics
        self.communication = Communication(
            sizes.hidden,
            heads=sizes.communication_heads,
            key=sizes.communication_key,
            cells=cells,
            dropout=sizes.dropout,
        )

    def forward(self, inputs: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        """One step from inputs (B, N, F) and states (B, K, D) to the new states."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self._step(inputs.to(hidden.dtype), hidden, action)

    def _step(self, inputs: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        reading = self.attention(inputs, hidden)
        moved = self.dynamics(reading.values, hidden, action)
        active = reading.active[:, :, None]
        moved = torch.where(active, moved, moved.detach())
        moved = moved + self.communication(moved, reading.active)
        return torch.where(active, moved, hidden)


def rim_cell(sizes: CellSizes, *, action_features: int | None) -> RIMCell:
    """Cells that share nothing; no actions if the features are None."""
    return RIMCell(sizes, OwnGRUs(sizes, action_features), shared=False)
