"""ConvLSTM, the baseline of recurrent video prediction, with and without actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.conv_lstm import ConvLSTMCell
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class ConvLSTMConfig(StackConfig):
    """Options of `ConvLSTM`; with `hidden` 128 (192) they are OpenSTL's ConvLSTM-S (-L).

    Attributes:
        layer_norm: Layer normalisation over (C, h, w) after each convolution.
        forget_bias: Added before the sigmoid of the forget gate. OpenSTL names a bias of 1 but
            never adds it.
        legacy: Compute as OpenSTL up to v0.3, whose published weights need it: H = o . g, so that
            the cell, and with it the gates i and f, never reach a prediction.
    """

    paper: ClassVar[str] = "Shi et al., NeurIPS"
    year: ClassVar[int] = 2015

    layer_norm: bool = False
    forget_bias: float = 0.0
    legacy: bool = False

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> ConvLSTM:
        """See `ModelConfig.build`."""
        return ConvLSTM(frame_shape, action_dim, self)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [
            ConvLSTMCell(
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
        ]


@final
class ConvLSTM(RecurrentStack[ConvLSTMConfig]):
    """ConvLSTM (Shi et al., NeurIPS 2015), in the layout of PredRNN as in OpenSTL.

    One step predicts the next frame from this one, where the paper encodes all of the context and
    then forecasts. Of each published cell, `conv_o` and `conv_last` are never used; they are not
    here.

    The state holds `hidden{l}` and `cell{l}` of every layer l, each of shape (B, hidden, h, w),
    zero at the start.
    """
