"""PredRNN and PredRNN-V2, with and without actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from torch import nn

from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.layers.st_lstm import STLSTMCell
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class PredRNNConfig(StackConfig):
    """Options of `PredRNN`; the defaults are PredRNN-V2 as published for Moving MNIST, 4 x 64.

    Attributes:
        layer_norm: Layer normalisation over (C, h, w) after each convolution.
        bias: Convolutions of the cells have a bias (the published action-conditioned model).
        forget_bias: Added before the sigmoid of the forget gates.
        memory_decoupling: Train with the decoupling term of PredRNN-V2; without it, PredRNN.
    """

    paper: ClassVar[str] = "Wang et al., TPAMI"
    year: ClassVar[int] = 2022

    layer_norm: bool = False
    bias: bool = False
    forget_bias: float = 1.0
    memory_decoupling: bool = True

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> PredRNN:
        """See `ModelConfig.build`."""
        return PredRNN(frame_shape, action_dim, self)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [
            STLSTMCell(
                self.hidden if layer else codec.features,
                self.hidden,
                codec.grid,
                kernel=self.kernel,
                normalise=self.layer_norm,
                bias=self.bias,
                forget_bias=self.forget_bias,
                action_features=action_features,
            )
            for layer in range(self.layers)
        ]

    def adapter(self) -> nn.Module | None:
        """See `StackConfig.adapter`."""
        if not self.memory_decoupling:
            return None
        return nn.Conv2d(self.hidden, self.hidden, 1, bias=False)


@final
class PredRNN(RecurrentStack[PredRNNConfig]):
    """PredRNN-V2 (Wang et al., TPAMI 2022): ST-LSTMs whose memory zigzags through the layers.

    The state holds `hidden{l}` and `cell{l}` of every layer l and the one `memory`, each of shape
    (B, hidden, h, w), zero at the start.
    """
