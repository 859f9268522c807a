"""Weights of the authors' own code, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.models.predrnn import PredRNN, PredRNNConfig

_PREDRNN_PREFIXES = {
    "cell_list.": "cells.",
    "conv_last.": "codec.output.",
    "conv_input": "codec.input",
    "deconv_output": "codec.output",
    "action_conv_input1.": "actions.encoder.0.",
    "action_conv_input2.": "actions.encoder.1.",
}


def predrnn_name(published: str) -> str:
    """Our name of a parameter of the thuml PredRNN family."""
    for theirs, ours in _PREDRNN_PREFIXES.items():
        if published.startswith(theirs):
            published = ours + published.removeprefix(theirs)
            break
    return published.replace(".conv_a.0.", ".modulation.conv.").replace(
        ".conv_a.1.", ".modulation.norm."
    )


def predrnn_from_published(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> PredRNN:
    """Build the model that a thuml PredRNN configuration describes and load its weights.

    Args:
        config: Options of the authors' code: `model`, `patch_size`, `img_channel`, `img_height`,
            `img_width`, `num_hidden`, `filter_size`, `layer_norm` and, for action-conditioned
            models, `num_action_ch` and `res_on_conv`.
        weights: State dict by the authors' names.

    Raises:
        InputError: The layers differ in width, or weights are missing, superfluous or of another
            shape; each is named.
    """
    hidden = list(config["num_hidden"])
    if len(set(hidden)) != 1:
        raise InputError(f"num_hidden: expected layers of one width, got {hidden}")
    action_conditioned = any(".conv_a." in name for name in weights)
    options = PredRNNConfig(
        layers=len(hidden),
        hidden=hidden[0],
        kernel=config["filter_size"],
        layer_norm=bool(config["layer_norm"]),
        bias="cell_list.0.conv_x.0.bias" in weights,
        memory_decoupling="adapter.weight" in weights,
        patch=None if action_conditioned else config["patch_size"],
        residual=action_conditioned and bool(config["res_on_conv"]),
    )
    frame_shape = (config["img_channel"], config["img_height"], config["img_width"])
    model = options.build(frame_shape, config["num_action_ch"] if action_conditioned else 0)
    load_by_name(model, {predrnn_name(name): weight for name, weight in weights.items()})
    return model


def load_by_name(model: torch.nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load weights strictly; buffers that are missing keep their value.

    Raises:
        InputError: Lists every missing, superfluous and mis-shaped name.
    """
    own = dict(model.named_parameters())
    buffers = dict(model.named_buffers())
    wrong = [f"missing {name}" for name in own if name not in weights]
    wrong += [f"unknown {name}" for name in weights if name not in own and name not in buffers]
    wrong += [
        f"{name} has shape {tuple(weights[name].shape)}, expected {tuple(parameter.shape)}"
        for name, parameter in {**own, **buffers}.items()
        if name in weights and weights[name].shape != parameter.shape
    ]
    if wrong:
        raise InputError(f"weights do not fit {type(model).__name__}: {'; '.join(wrong)}")
    model.load_state_dict(dict(weights), strict=False)
