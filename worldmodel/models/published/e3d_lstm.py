"""E3D-LSTM, by the names of OpenSTL."""

from __future__ import annotations

from torch import Tensor

from worldmodel.models.e3d_lstm import E3DLSTMConfig
from worldmodel.models.published.translation import (
    Translation,
    Weights,
    layer_count,
    patch_side,
    required,
)

_READER = "cell_list.0.conv_x.0.conv3d.weight"
_PARTS = {
    "cell_list.": "cells.",
    "._norm_c_t.": ".norm.",
    ".conv_new_cell.": ".output_c.",
    ".conv_new_gm.": ".output_m.",
    ".0.conv3d.": ".conv.",
    ".conv3d.": ".conv.",
    ".1.weight": ".norm.weight",
    ".1.bias": ".norm.bias",
}


def _config(weights: Weights, channels: int) -> E3DLSTMConfig:
    first = required(weights, _READER)
    return E3DLSTMConfig(
        layers=layer_count(weights, "cell_list."),
        hidden=first.shape[0] // 7,
        kernel=first.shape[-1],
        window=first.shape[2],
        patch=patch_side(first.shape[1], channels),
        layer_norm="cell_list.0.conv_x.1.weight" in weights,
        openstl=True,
    )


def _entry(name: str, weight: Tensor) -> tuple[str, Tensor] | None:
    folded = weight.flatten(1, 2) if weight.ndim == 5 else weight.flatten(0, 1)
    if name == "conv_last.weight":
        return "codec.output.weight", folded
    if ".conv_gm." in name:
        return _memory_gates(name, folded)
    for theirs, ours in _PARTS.items():
        name = name.replace(theirs, ours)
    return name, folded


def _memory_gates(name: str, weight: Tensor) -> tuple[str, Tensor] | None:
    """Of the convolution of a memory that stays zero, the bias of its normalisation is left."""
    cell, _, parameter = name.partition(".conv_gm.")
    if parameter != "1.bias":
        return None
    return f"{cell.replace('cell_list.', 'cells.')}.memory_gates", weight


E3D_LSTM = Translation(
    mark=".conv3d.",
    reader=_READER,
    positions="cell_list.0._norm_c_t.weight",
    config=_config,
    entry=_entry,
)
"""Weights that were trained with OpenSTL."""
