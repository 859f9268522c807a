"""Every architecture whose published weights can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.architectures import architecture_of
from worldmodel.models.published.conv_lstm import CONV_LSTM
from worldmodel.models.published.e3d_lstm import E3D_LSTM
from worldmodel.models.published.mim import MIM
from worldmodel.models.published.motion_details_rnn import MOTION_DETAILS_RNN
from worldmodel.models.published.motion_rnn import MOTION_RNN
from worldmodel.models.published.predrnn import PREDRNN
from worldmodel.models.published.predrnn_plus_plus import PREDRNN_PLUS_PLUS
from worldmodel.models.published.sizes import PUBLISHED
from worldmodel.models.published.state_dict import read_state_dict
from worldmodel.models.published.translation import (
    UNKNOWN_SIZE,
    FrameSize,
    Translation,
    Weights,
    frame_shape_of,
    load_published,
)
from worldmodel.registry import bare

TRANSLATIONS: dict[str, Translation] = {
    "mim": MIM,
    "motion-details-rnn": MOTION_DETAILS_RNN,
    "motion-rnn": MOTION_RNN,
    "predrnn-plus-plus": PREDRNN_PLUS_PLUS,
    "e3d-lstm": E3D_LSTM,
    "predrnn": PREDRNN,
    "conv-lstm": CONV_LSTM,
}
"""By architecture; no weights bear the mark of one that stands before their own."""


def recognised(weights: Weights) -> str | None:
    """The architecture that such names belong to, if it is one of `TRANSLATIONS`."""
    names = " ".join(weights)
    return next((kind for kind, known in TRANSLATIONS.items() if known.mark in names), None)


def import_weights(
    path: Path | str,
    architecture: str,
    size: FrameSize = UNKNOWN_SIZE,
    options: Mapping[str, Any] | None = None,
) -> WorldModel:
    """A model with the weights of a published file, in evaluation mode.

    Reads the files of the thuml repositories, of MoDeRNN and of OpenSTL; executes nothing in them.

    Args:
        path: `.pth`, `.pt`, `.ckpt` or `.safetensors`.
        architecture: Name of it, or of a form of it that `worldmodel models` lists, in any case.
        size: What is known of the frames the weights were trained on; the weights tell the rest.
        options: Options that leave no trace in the weights, such as the legacy forward of OpenSTL
            v0.3; all others are inferred.

    Raises:
        InputError: The file cannot be read, holds another architecture, or weights are missing,
            superfluous or mis-shaped; each is named.
    """
    architecture = _translated(architecture)
    weights = read_state_dict(path)
    found = recognised(weights)
    if found not in (None, architecture):
        raise InputError(f"{path}: expected weights of {architecture}, these are of {found}")
    translation = TRANSLATIONS[architecture]
    frame_shape = frame_shape_of(translation, weights, size)
    config = with_options(translation.config(weights, frame_shape[0]), options or {})
    return load_published(translation, config, frame_shape, weights)


def _translated(name: str) -> str:
    """The architecture of that name, or of a published form of it, among `TRANSLATIONS`."""
    forms = {form: architecture_of(config) for form, config in PUBLISHED.items()}
    known = {form: kind for form, kind in forms.items() if kind in TRANSLATIONS}
    for form, kind in known.items():
        if bare(form) == bare(name):
            return kind
    raise InputError(f"architecture {name!r} is unknown; available: {', '.join(known)}")


def with_options(config: ModelConfig, options: Mapping[str, Any]) -> ModelConfig:
    """The configuration with these options instead of its own.

    Raises:
        InputError: There is no such option; names the nearest.
    """
    known = [field.name for field in fields(config)]  # pyright: ignore[reportArgumentType]
    for name in options:
        if name not in known:
            near = (get_close_matches(name, known, 1) or known)[0]
            raise InputError(
                f"{type(config).__name__} has no option {name}; did you mean {near}? "
                f"available: {', '.join(known)}"
            )
    return replace(config, **options)  # pyright: ignore[reportArgumentType]
