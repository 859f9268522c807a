"""MIM, by the names of OpenSTL."""

from __future__ import annotations

from torch import Tensor

from worldmodel.models.mim import MIMConfig
from worldmodel.models.published.translation import (
    Translation,
    Weights,
    layer_count,
    patch_side,
    required,
)

_READER = "stlstm_layer.0.conv_x.0.weight"
_BLOCK = {
    "conv_x_cc": "conv_x",
    "conv_t_cc": "conv_h",
    "conv_s_cc": "conv_m",
    "conv_x_concat": "stationary.conv_x",
    "conv_h_concat": "stationary.conv_h",
    "ct_weight": "stationary.peephole",
    "oc_weight": "stationary.output_peephole",
}
_MODULE = {
    "conv_x_concat": "nonstationary.conv_x",
    "conv_h_concat": "nonstationary.conv_h",
    "ct_weight": "nonstationary.peephole",
    "oc_weight": "nonstationary.output_peephole",
}


def _config(weights: Weights, channels: int) -> MIMConfig:
    first = required(weights, _READER)
    return MIMConfig(
        layers=layer_count(weights, "stlstm_layer."),
        hidden=first.shape[0] // 7,
        kernel=first.shape[-1],
        patch=patch_side(first.shape[1], channels),
        layer_norm="stlstm_layer.0.conv_x.1.weight" in weights,
        memory_decoupling="adapter.weight" in weights,
        stationary_gradient=False,
    )


def _entry(name: str, weight: Tensor) -> tuple[str, Tensor] | None:
    family, *rest = name.split(".")
    if family == "stlstm_layer":
        layer, part, *tail = rest
        return ".".join(["cells", layer, _BLOCK.get(part, part), *tail]), weight
    if family == "stlstm_layer_diff":
        below, part, *tail = rest
        if part == "conv_last":
            return None
        return ".".join(["cells", str(int(below) + 1), _MODULE.get(part, part), *tail]), weight
    if family == "conv_last":
        return ".".join(["codec.output", *rest]), weight
    return name, weight


MIM = Translation(
    mark="stlstm_layer.",
    reader=_READER,
    positions="stlstm_layer.1.ct_weight",
    config=_config,
    entry=_entry,
)
"""Weights that were trained with OpenSTL."""
