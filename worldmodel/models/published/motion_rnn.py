"""MotionRNN on PredRNN, by the names of the authors' code."""

from __future__ import annotations

import re

from torch import Tensor

from worldmodel.models.motion_rnn import MotionRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.published.translation import (
    Translation,
    Weights,
    layer_count,
    patch_side,
    required,
)

_READER = "cell_list.0.conv_x.0.weight"
_NAMES = (
    (r"^cell_list\.(\d+)\.", r"cells.\1.inner."),
    (r"^enc_list\.(\d+)\.", r"cells.\1.transition.encoder."),
    (r"^dec_list\.(\d+)\.", r"cells.\1.transition.decoder."),
    (r"^gate_list\.(\d+)\.", r"cells.\1.transition.fusion."),
    (r"^motion_list\.(\d+)\.warp\.warp_gate\.", r"cells.\1.transition.gru.warp.mask."),
    (r"^motion_list\.(\d+)\.warp\.", r"cells.\1.transition.gru.warp."),
    (r"^motion_list\.(\d+)\.", r"cells.\1.transition.gru.transient."),
    (r"^conv_first_v\.", "cells.0.entrance."),
    (r"^conv_last\.", "codec.output."),
)


def _config(weights: Weights, channels: int) -> MotionRNNConfig:
    first = required(weights, _READER)
    backbone = PredRNNConfig(
        layers=layer_count(weights, "cell_list."),
        hidden=first.shape[0] // 7,
        kernel=first.shape[-1],
        patch=patch_side(first.shape[1], channels),
        layer_norm="cell_list.0.conv_x.1.weight" in weights,
        memory_decoupling=False,
    )
    return MotionRNNConfig(
        backbone=backbone,
        encoder_kernel=required(weights, "enc_list.0.weight").shape[-1],
        transient_kernel=required(weights, "motion_list.0.update.weight").shape[-1],
        fusion_kernel=required(weights, "gate_list.0.weight").shape[-1],
    )


def _entry(name: str, weight: Tensor) -> tuple[str, Tensor]:
    for theirs, ours in _NAMES:
        translated, found = re.subn(theirs, ours, name)
        if found:
            return translated, weight
    return name, weight


MOTION_RNN = Translation(
    mark="motion_list.",
    reader=_READER,
    positions="cell_list.0.conv_x.1.weight",
    config=_config,
    entry=_entry,
)
