"""MoDeRNN, by the names of the authors' code."""

from __future__ import annotations

import re

from torch import Tensor

from worldmodel.models.motion_details_rnn import MotionDetailsRNNConfig
from worldmodel.models.published.translation import (
    Translation,
    Weights,
    layer_count,
    patch_side,
    required,
)

_READER = "embed.weight"
_NAMES = (
    (r"^embed\.", "codec.embedding."),
    (r"^output\.", "codec.output."),
    (r"^lstm\.", "cells."),
    (r"\.conv_i2h\.", ".conv_x."),
    (r"\.conv_h2h\.", ".conv_h."),
    (r"\.conv33_X\.", ".details.by_input.convs.0."),
    (r"\.conv55_X\.", ".details.by_input.convs.1."),
    (r"\.conv77_X\.", ".details.by_input.convs.2."),
    (r"\.conv33_H\.", ".details.by_context.convs.0."),
    (r"\.conv55_H\.", ".details.by_context.convs.1."),
    (r"\.conv77_H\.", ".details.by_context.convs.2."),
)


def _config(weights: Weights, channels: int) -> MotionDetailsRNNConfig:
    hidden, depth = required(weights, _READER).shape[:2]
    return MotionDetailsRNNConfig(
        layers=layer_count(weights, "lstm."),
        hidden=hidden,
        kernel=required(weights, "lstm.0.conv_i2h.0.weight").shape[-1],
        patch=patch_side(depth, channels),
    )


def _entry(name: str, weight: Tensor) -> tuple[str, Tensor]:
    for theirs, ours in _NAMES:
        name = re.sub(theirs, ours, name)
    return name, weight


MOTION_DETAILS_RNN = Translation(
    mark=".conv33_X.",
    reader=_READER,
    positions="lstm.0.norm_cell.weight",
    config=_config,
    entry=_entry,
)
