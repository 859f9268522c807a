"""PredRNN++, by the names of OpenSTL."""

from __future__ import annotations

import re

from torch import Tensor

from worldmodel.models.predrnn_plus_plus import PredRNNPlusPlusConfig
from worldmodel.models.published.predrnn import stack_name
from worldmodel.models.published.translation import (
    Translation,
    Weights,
    layer_count,
    patch_side,
    required,
)

_READER = "cell_list.0.conv_x.0.weight"


def _config(weights: Weights, channels: int) -> PredRNNPlusPlusConfig:
    first = required(weights, _READER)
    return PredRNNPlusPlusConfig(
        layers=layer_count(weights, "cell_list."),
        hidden=first.shape[0] // 7,
        kernel=first.shape[-1],
        layer_norm="cell_list.0.conv_x.1.weight" in weights,
        patch=patch_side(first.shape[1], channels),
    )


def _entry(name: str, weight: Tensor) -> tuple[str, Tensor] | None:
    if ".conv_o." in name:
        return None
    return stack_name(_with_highway(name)), weight


def _with_highway(name: str) -> str:
    """The name as if the highway were layer 1 of the published `cell_list`."""
    above = re.sub(r"^cell_list\.([1-9]\d*)", lambda match: f"cell_list.{int(match[1]) + 1}", name)
    return above.replace("gradient_highway.", "cell_list.1.")


PREDRNN_PLUS_PLUS = Translation(
    mark="gradient_highway.",
    reader=_READER,
    positions="cell_list.0.conv_x.1.weight",
    config=_config,
    entry=_entry,
)
