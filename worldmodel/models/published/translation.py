"""From a published state dict to one of our models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, WorldModel

FrameShape = tuple[int, int, int]
Weights = Mapping[str, Tensor]


class Translation(NamedTuple):
    """How the published weights of one architecture are read.

    Attributes:
        config: Options of the model, inferred from the weights' names and shapes, for frames
            (C, H, W); options that leave no trace in the weights keep their defaults.
        entry: A published name and weight as ours, or None for what the published forward never
            uses.
    """

    config: Callable[[Weights, FrameShape], ModelConfig]
    entry: Callable[[str, Tensor], tuple[str, Tensor] | None]


def load_published(
    translation: Translation, config: ModelConfig, frame_shape: FrameShape, weights: Weights
) -> WorldModel:
    """A model of these options with the published weights, in evaluation mode.

    Raises:
        InputError: Lists every missing, superfluous and mis-shaped weight.
    """
    model = config.build(frame_shape, action_width(weights))
    entries = {name: translation.entry(name, weight) for name, weight in weights.items()}
    used = {theirs: entry for theirs, entry in entries.items() if entry is not None}
    theirs = {entry[0]: name for name, entry in used.items()}
    load_by_name(model, dict(used.values()), theirs)
    return model.eval()


def load_by_name(
    model: nn.Module, weights: Weights, theirs: Mapping[str, str] | None = None
) -> None:
    """Load weights strictly; buffers that are missing keep their value.

    Args:
        model: The model to fill.
        weights: By the model's names.
        theirs: Names of the weights in the file they come from, for the message.

    Raises:
        InputError: Lists every missing, superfluous and mis-shaped name.
    """
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    told = {name: f"{theirs[name]} (here {name})" for name in weights} if theirs else {}
    wrong = [f"missing {name}" for name, _ in model.named_parameters() if name not in weights]
    wrong += [f"unknown {told.get(name, name)}" for name in weights if name not in own]
    wrong += [
        f"{told.get(name, name)} has shape {tuple(weights[name].shape)}, "
        f"expected {tuple(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if wrong:
        raise InputError(f"weights do not fit {type(model).__name__}: {'; '.join(wrong)}")
    model.load_state_dict(dict(weights), strict=False)


def patch_side(depth: int, channels: int) -> int:
    """Side p of the patches of frames with so many channels, if a patch has `depth` of them.

    Raises:
        InputError: `depth` is not p^2 times the channels.
    """
    side = math.isqrt(depth // channels)
    if side == 0 or side * side * channels != depth:
        raise InputError(
            f"weights: their input of {depth} channels is no square number of pixels of a frame "
            f"with {channels} channels"
        )
    return side


def required(weights: Weights, name: str) -> Tensor:
    """A weight that tells a size.

    Raises:
        InputError: It is missing; lists some that are there.
    """
    if name not in weights:
        some = ", ".join(list(weights)[:5]) or "none"
        raise InputError(f"weights: missing {name}; they begin with {some}")
    return weights[name]


def layer_count(weights: Weights, prefix: str) -> int:
    """Layers l = 0, 1, ... without a gap among the names that begin with `prefix` and "l."."""
    present = {
        name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)
    }
    return next(layer for layer in itertools.count() if str(layer) not in present)


def action_width(weights: Weights) -> int:
    """Width A of the actions of the action-conditioned PredRNN-V2; 0 for other weights."""
    planes = weights.get("action_conv_input1.weight")
    return 0 if planes is None else planes.shape[1]
