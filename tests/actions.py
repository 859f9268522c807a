"""Actions as single cells take them."""

from __future__ import annotations

from torch import Tensor, nn

from worldmodel.layers.action import ActionEncoder, ActionFeatures, ActionModulation


def features_of(cell: nn.Module, actions: Tensor) -> ActionFeatures:
    """Features for a cell without a grid, of the first step of actions (B, T, A)."""
    modulations = [part for part in cell.modules() if isinstance(part, ActionModulation)]
    return ActionEncoder(None, actions.shape[2])(actions, modulations)[0]
