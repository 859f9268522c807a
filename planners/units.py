"""Whether models were trained on the actions that are to be planned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.model import WorldModel
from worldmodel.planners.space import ActionSpace, Bounds

_FACTOR = 30.0
"""Between the spread of the training actions and that of the bounds; from metres to centimetres,
or from radians to degrees, it is more."""


def check_models(models: Sequence[WorldModel], space: ActionSpace) -> None:
    """Refuse actions that the models were not trained on.

    Raises:
        InputError: A model takes no actions, actions of another width, or of other units: by their
            size, training actions and bounds have little in common.
    """
    for model in models:
        if not model.action_dim:
            raise InputError(
                "actions: this model was trained without, it cannot be planned with; expected one "
                f"of actions of width {space.width}"
            )
        if model.action_dim != space.width:
            raise InputError(
                f"actions: this model expects width {model.action_dim}, got {space.width}"
            )
        if model.actions is not None and isinstance(space, Bounds):
            _check_units(model.actions.mean.cpu(), model.actions.std.cpu(), space)


def _check_units(mean: Tensor, std: Tensor, bounds: Bounds) -> None:
    low, high = bounds.low.cpu(), bounds.high.cpu()
    known = (mean != 0) | (std != 1)  # not as an untrained model has them
    reach = torch.maximum((low - mean).abs(), (high - mean).abs())
    ratio = reach / std
    odd = known & ((ratio > _FACTOR) | (ratio < 1 / _FACTOR))
    for index in odd.nonzero()[:, 0].tolist():
        raise InputError(
            f"actions: dimension {index} may be {low[index]:g} to {high[index]:g}, but the model "
            f"was trained on {mean[index]:g} ± {std[index]:g}; expected the same units"
        )
