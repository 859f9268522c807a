"""Action fusion: the action modulates the hidden path of a recurrent cell, multiplicatively."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from worldmodel.layers.codec import FrameCodec


class ActionFeatures(NamedTuple):
    """An action on the recurrent grid.

    Attributes:
        coefficients: Shape (B, A).
        tables: What every modulation makes of the unit actions, see `ActionModulation.table`.
    """

    coefficients: Tensor
    tables: Mapping[ActionModulation, Tensor]


@final
class ActionScale(nn.Module):
    """From the units of the log to mean zero and deviation one, over the training actions.

    Args:
        action_dim: Width A of an action.

    Attributes:
        mean: Subtracted from an action, in the units of the log. Shape (A,); zero at first.
        std: Divides it after that. Shape (A,); one at first.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, action_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(action_dim))
        self.register_buffer("std", torch.ones(action_dim))

    def set(self, mean: Tensor, std: Tensor) -> None:
        """Normalise by these from now on.

        Args:
            mean: In the units of the log. Shape (A,).
            std: Likewise; where it is zero, because the action never changes, one is taken.
        """
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 0, std, 1.0))

    def forward(self, action: Tensor) -> Tensor:
        """Actions (B, A), in the units of the log, normalised."""
        return (action - self.mean) / self.std


@final
class ActionEncoder(nn.Module):
    """The action's way onto the recurrent grid, for one unit action per dimension.

    An action is tiled to an image of A planes and encoded linearly, so that the features of any
    action are a combination of A maps. Computing those maps instead of one per sample is exact and
    does not grow with the batch.

    Args:
        codec: Frame codec whose grid the action must reach; None for a recurrent state without a
            grid, whose maps are then of size (1, 1) and one per dimension.
        action_dim: Width A of an action.

    Attributes:
        features: Channels of the action's maps.
    """

    def __init__(self, codec: FrameCodec | None, action_dim: int) -> None:
        super().__init__()
        self.encoder = nn.Identity() if codec is None else codec.action_encoder(action_dim)
        self.features = action_dim if codec is None else codec.action_features(action_dim)
        height, width = (1, 1) if codec is None else codec.action_image_size
        self.size = (action_dim, height, width)

    def forward(
        self, actions: Tensor, modulations: Iterable[ActionModulation]
    ) -> Sequence[ActionFeatures]:
        """Features of normalised actions (B, T, A), step by step, for these modulations.

        All steps share the tables, which depend on no action.
        """
        action_dim, height, width = self.size
        planes = torch.eye(action_dim, device=actions.device, dtype=actions.dtype)
        maps = self.encoder(planes[:, :, None, None].expand(-1, -1, height, width))
        tables = {modulation: modulation.table(maps) for modulation in modulations}
        return [ActionFeatures(action, tables) for action in actions.unbind(1)]


@final
class ActionModulation(nn.Module):
    """The factor W_a * a + b_a of the action-conditioned PredRNN-V2 (from its code).

    The hidden path of a cell becomes (W_h * h + b_h) . (W_a * a + b_a).

    Args:
        inputs: Channels of the action's features.
        outputs: Channels of the hidden path that is modulated.
        kernel: Side of the kernel.
        norm: Applied to the sum, or None.
        neutral: The bias starts at one, so that an untrained action path leaves the hidden path as
            it is; otherwise it is drawn, as the weights are.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        norm: nn.Module | None,
        *,
        neutral: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        if neutral:
            nn.init.ones_(self._bias)
        self.norm = nn.Identity() if norm is None else norm

    @property
    def _bias(self) -> Tensor:
        assert self.conv.bias is not None
        return self.conv.bias

    def table(self, maps: Tensor) -> Tensor:
        """W_a * a of each unit action and, in the last row, b_a. Shape (A + 1, outputs, h, w)."""
        products = nn.functional.conv2d(maps, self.conv.weight, padding=self.conv.padding)
        bias = self._bias.to(products)[:, None, None].expand_as(products[:1])
        table = torch.cat((products, bias))
        return table.contiguous(memory_format=torch.channels_last)

    def forward(self, action: ActionFeatures) -> Tensor:
        """The factor. Shape (B, outputs, h, w)."""
        table = action.tables[self]
        _, outputs, h, w = table.shape
        rows = table.permute(0, 2, 3, 1).flatten(1)
        factor = nn.functional.pad(action.coefficients.to(rows), (0, 1), value=1.0) @ rows
        return self.norm(factor.unflatten(1, (h, w, outputs)).permute(0, 3, 1, 2))


def action_modulation(
    action_features: int | None, outputs: int, *, kernel: int = 1, norm: nn.Module | None = None
) -> ActionModulation | None:
    """The `ActionModulation` of a hidden path with `outputs` channels; None without actions."""
    if action_features is None:
        return None
    return ActionModulation(action_features, outputs, kernel, norm)


def modulated(
    path: Tensor, modulation: ActionModulation | None, action: ActionFeatures | None
) -> Tensor:
    """The hidden path (B, outputs, h, w) under an action; as it is without one."""
    if modulation is None or action is None:
        return path
    return path * modulation(action)


def sums_under_action(
    others: Sequence[Tensor],
    path: Tensor,
    modulation: ActionModulation | None,
    action: ActionFeatures | None,
) -> list[Tensor]:
    """Other terms (B, D_i, h, w), each plus its channels of the hidden path under an action.

    The path has as many channels as the others together.
    """
    widths = [other.shape[1] for other in others]
    paths = path.split(widths, dim=1)
    if modulation is None or action is None:
        return [other + part for other, part in zip(others, paths, strict=True)]
    factors = modulation(action).split(widths, dim=1)
    return [
        torch.addcmul(other, part, factor)
        for other, part, factor in zip(others, paths, factors, strict=True)
    ]
