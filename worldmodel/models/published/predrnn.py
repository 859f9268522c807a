"""PredRNN and PredRNN-V2, by the names of the authors' code and of OpenSTL."""

from __future__ import annotations

from torch import Tensor

from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.published.translation import (
    Translation,
    Weights,
    layer_count,
    patch_side,
    required,
)

_READER = "cell_list.0.conv_x.0.weight"
_PREFIXES = {
    "cell_list.": "cells.",
    "conv_last.": "codec.output.",
    "conv_input": "codec.input",
    "deconv_output": "codec.output",
    "action_conv_input1.": "action_encoder.encoder.0.",
    "action_conv_input2.": "action_encoder.encoder.1.",
}


def stack_name(published: str) -> str:
    """Our name of a parameter in a stack of `cell_list` under `conv_last`."""
    for theirs, ours in _PREFIXES.items():
        if published.startswith(theirs):
            published = ours + published.removeprefix(theirs)
            break
    return published.replace(".conv_a.0.", ".modulation.conv.").replace(
        ".conv_a.1.", ".modulation.norm."
    )


def _config(weights: Weights, channels: int) -> PredRNNConfig:
    first = required(weights, _READER)
    strided = "conv_input1.weight" in weights
    return PredRNNConfig(
        layers=layer_count(weights, "cell_list."),
        hidden=first.shape[0] // 7,
        kernel=first.shape[-1],
        layer_norm="cell_list.0.conv_x.1.weight" in weights,
        bias="cell_list.0.conv_x.0.bias" in weights,
        memory_decoupling="adapter.weight" in weights,
        patch=None if strided else patch_side(first.shape[1], channels),
        residual=strided,
    )


def _entry(name: str, weight: Tensor) -> tuple[str, Tensor]:
    return stack_name(name), weight


PREDRNN = Translation(
    mark=".conv_m.",
    reader=_READER,
    positions="cell_list.0.conv_x.1.weight",
    config=_config,
    entry=_entry,
)
