"""All architectures by class name, for checkpoints and configuration files."""

from __future__ import annotations

from worldmodel.model import ModelConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig

ARCHITECTURES: dict[str, type[ModelConfig]] = {
    "PredRNN": PredRNNConfig,
    "ModeRNN": ModeRNNConfig,
}
