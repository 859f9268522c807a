"""SCOFF: object files that choose among shared rules."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures
from worldmodel.layers.group_gru import GroupGRU
from worldmodel.layers.rim_cell import CellSizes, Dynamics, RIMCell


@final
class SharedRules(Dynamics):
    """Rules (schemata) that every object file tries, to keep the best match (thesis, 3.24 to 3.28).

    A rule is a GRU. Each object file moves by all of them, and the match of its old state with the
    candidates decides. In training the choice is drawn from the Gumbel softmax and its gradient is
    the soft choice's (straight through); in evaluation it is the best match, without noise.

    Args:
        sizes: Sizes of the object files.
        rules: Number J of rules.
        key: Width of the match.
        temperature: Of the Gumbel softmax.
        action_features: Channels of the action's features; None without actions.
    """

    def __init__(
        self,
        sizes: CellSizes,
        *,
        rules: int,
        key: int,
        temperature: float,
        action_features: int | None,
    ) -> None:
        super().__init__()
        self.rules, self.temperature = rules, temperature
        self.gru = GroupGRU(rules, sizes.value, sizes.hidden, action_features=action_features)
        self.query = nn.Linear(sizes.hidden, key, bias=False)
        self.key = nn.Linear(sizes.hidden, key, bias=False)

    def forward(self, read: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        """See `Dynamics.forward`."""
        read, before = (x[:, :, None].expand(-1, -1, self.rules, -1) for x in (read, hidden))
        candidates = self.gru(read, before, action)  # Eqn. 3.24.
        match = torch.einsum("bkd,bkjd->bkj", self.query(hidden), self.key(candidates))
        return torch.einsum("bkj,bkjd->bkd", self.choice(match), candidates)  # Eqn. 3.28.

    def choice(self, match: Tensor) -> Tensor:
        """One rule per object file from the matches (B, K, J), one-hot (equation 3.27)."""
        if self.training:
            return nn.functional.gumbel_softmax(match, self.temperature, hard=True)
        return nn.functional.one_hot(match.argmax(dim=2), self.rules).to(match.dtype)


def scoff_cell(
    sizes: CellSizes, *, rules: int, key: int, temperature: float, action_features: int | None
) -> RIMCell:
    """Object files that share everything; no actions if the features are None."""
    dynamics = SharedRules(
        sizes, rules=rules, key=key, temperature=temperature, action_features=action_features
    )
    return RIMCell(sizes, dynamics, shared=True)
