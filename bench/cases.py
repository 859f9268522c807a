"""The models whose speed is measured: shipped and published sizes, and all others small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from moving_mnist import MODELS

from worldmodel.model import ModelConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig


@final
@dataclass(frozen=True)
class Case:
    """A model and how much it is given to do.

    Attributes:
        config: Its options.
        batch: Clips of a training step.
        length: Frames of a clip.
        candidates: Futures that are imagined side by side.
        horizon: Steps of each.
        frame: Shape (C, H, W) of a frame, in pixels.
    """

    config: ModelConfig
    batch: int
    length: int
    candidates: int
    horizon: int
    frame: tuple[int, int, int] = (3, 64, 64)


ACTIONS = 4
"""Width of an action."""

PUBLISHED = PredRNNConfig(patch=None, residual=True, bias=True)
"""The action-conditioned PredRNN-V2 of 4 layers of 64 channels."""

WIDE = PredRNNConfig(patch=None, residual=True, bias=True, hidden=128)
"""The same of 128 channels."""

SHIPPED: Mapping[str, ModelConfig] = {
    "predrnn-v2 3 x 40, shipped": PredRNNConfig(
        layers=3, hidden=40, kernel=3, bias=True, residual=True
    ),
    "mode-rnn 3 x 48, shipped": ModeRNNConfig(layers=3, hidden=48, kernel=1, residual=True),
}

CONFIGS: Mapping[str, ModelConfig] = {
    **SHIPPED,
    "predrnn-v2 4 x 64, published": PUBLISHED,
    "predrnn-v2 4 x 128, published": WIDE,
    "mode-rnn 4 x 64, published": ModeRNNConfig(),
}
"""The sizes that are used."""


def sized(quick: bool) -> dict[str, Case]:
    """Shipped and published sizes; the shipped ones only if it must be quick."""
    if quick:
        return {name: Case(config, 2, 4, 8, 3) for name, config in SHIPPED.items()}
    large = {name: Case(config, 2, 6, 8, 5) for name, config in CONFIGS.items()}
    return large | {name: Case(config, 8, 12, 16, 8) for name, config in SHIPPED.items()}


def small() -> dict[str, Case]:
    """All architectures, in the sizes that are trained on Moving MNIST."""
    return {name: Case(config, 2, 4, 4, 3, (3, 32, 32)) for name, config in MODELS.items()}
