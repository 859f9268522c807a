"""ConvLSTM, by the names of OpenSTL."""

from __future__ import annotations

from torch import Tensor

from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.models.published.predrnn import stack_name
from worldmodel.models.published.translation import (
    Translation,
    Weights,
    layer_count,
    patch_side,
    required,
)

_READER = "cell_list.0.conv_x.0.weight"
_UNUSED = (".conv_o.0.weight", ".conv_o.1.weight", ".conv_o.1.bias", ".conv_last.weight")


def _config(weights: Weights, channels: int) -> ConvLSTMConfig:
    first = required(weights, _READER)
    return ConvLSTMConfig(
        layers=layer_count(weights, "cell_list."),
        hidden=first.shape[0] // 4,
        kernel=first.shape[-1],
        layer_norm="cell_list.0.conv_x.1.weight" in weights,
        patch=patch_side(first.shape[1], channels),
    )


def _entry(name: str, weight: Tensor) -> tuple[str, Tensor] | None:
    return None if name.endswith(_UNUSED) else (stack_name(name), weight)


CONV_LSTM = Translation(
    mark="cell_list.",
    reader=_READER,
    positions="cell_list.0.conv_x.1.weight",
    config=_config,
    entry=_entry,
)
