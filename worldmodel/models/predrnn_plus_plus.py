"""PredRNN++, with and without actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.errors import check_at_least
from worldmodel.layers.causal_lstm import CausalLSTMCell, GradientHighway
from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class PredRNNPlusPlusConfig(StackConfig):
    """Options of `PredRNNPlusPlus`; with `hidden` 128 they are OpenSTL's for Moving MNIST.

    Attributes:
        layers: Causal LSTMs, at least 2: the gradient highway lies between the first two.
        layer_norm: Layer normalisation over (C, h, w) after each convolution.
        forget_bias: Added before the sigmoid of the forget gates.
        legacy: Compute as OpenSTL up to v0.3, whose published weights need it: the gates of the
            temporal memory read the spatiotemporal one.
    """

    paper: ClassVar[str] = "Wang et al., ICML"
    year: ClassVar[int] = 2018

    layer_norm: bool = False
    forget_bias: float = 1.0
    legacy: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(2, self, "layers")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> PredRNNPlusPlus:
        """See `ModelConfig.build`."""
        return PredRNNPlusPlus(frame_shape, action_dim, self)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        highway = GradientHighway(
            self.hidden, codec.grid, kernel=self.kernel, normalise=self.layer_norm
        )
        first, *rest = (
            CausalLSTMCell(
                self.hidden if layer else codec.features,
                self.hidden,
                codec.grid,
                kernel=self.kernel,
                normalise=self.layer_norm,
                forget_bias=self.forget_bias,
                legacy=self.legacy,
                action_features=action_features,
            )
            for layer in range(self.layers)
        )
        return [first, highway, *rest]


@final
class PredRNNPlusPlus(RecurrentStack[PredRNNPlusPlusConfig]):
    """PredRNN++ (Wang et al., ICML 2018): causal LSTMs and a gradient highway.

    The highway is layer 1 of the stack, above the first causal LSTM. The published cells also hold
    a `conv_o` that is never used; it is not here.

    The state holds `hidden{l}` of every layer l, `cell{l}` of every causal LSTM and the one
    `memory`, each of shape (B, hidden, h, w), zero at the start.
    """
