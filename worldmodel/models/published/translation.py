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
        mark: Part of a name by which such weights are recognised.
        reader: Name of the weight that reads the patches; tells how many numbers one has.
        positions: Name of a weight with a number per position, where there is one; tells the grid.
        config: Options of the model, inferred from the weights' names and shapes, for frames of so
            many channels; options that leave no trace in the weights keep their defaults.
        entry: A published name and weight as ours, or None for what the published forward never
            uses.
    """

    mark: str
    reader: str
    positions: str
    config: Callable[[Weights, int], ModelConfig]
    entry: Callable[[str, Tensor], tuple[str, Tensor] | None]


class FrameSize(NamedTuple):
    """What is known of the frames; None for what the weights shall tell.

    Attributes:
        channels: C; 1 or 3 where the weights leave both open, the first that fits.
        height: H in pixels; 64 where the weights fit any.
        width: W in pixels; 64 where the weights fit any.
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None


UNKNOWN_SIZE = FrameSize()


def frame_shape_of(translation: Translation, weights: Weights, size: FrameSize) -> FrameShape:
    """Frames (C, H, W) that weights were trained on.

    Raises:
        InputError: The weight that reads the frames is missing, reads another number of channels,
            or has no square patches.
    """
    strided = weights.get("conv_input1.weight")
    if strided is not None:
        channels, patch = strided.shape[1], 4
        if size.channels not in (None, channels):
            raise InputError(f"channels: these weights read {channels}, got {size.channels}")
    else:
        depth = required(weights, translation.reader).shape[1]
        channels = size.channels or next((c for c in (1, 3) if _side(depth, c)), 1)
        patch = patch_side(depth, channels)
    positions = weights.get(translation.positions)
    grid = (64 // patch, 64 // patch) if positions is None else positions.shape[-2:]
    height, width = (patch * side for side in grid)
    return channels, size.height or height, size.width or width


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
    """Side p of the patches of frames with so many channels, if a patch has `depth` numbers.

    Raises:
        InputError: `depth` is not p^2 times the channels.
    """
    side = _side(depth, channels)
    if side is None:
        raise InputError(
            f"weights: their input of {depth} channels is no square number of pixels of a frame "
            f"with {channels} channels"
        )
    return side


def _side(depth: int, channels: int) -> int | None:
    side = math.isqrt(depth // channels)
    return side if side > 0 and side * side * channels == depth else None


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
