"""E3D-LSTM: 3-D convolutions and recall of all past memories, with and without actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.errors import check_at_least
from worldmodel.layers.codec import FrameCodec, PatchCodec, StridedConvCodec
from worldmodel.layers.e3d_lstm import E3DLSTMCell
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class E3DLSTMConfig(StackConfig):
    """Options of `E3DLSTM`; the defaults are the paper's equations at the authors' sizes.

    Attributes:
        hidden: Channels of every slice of every layer.
        window: Frames that enter together, and depth of the kernels.
        memory_window: Most recent cell states that are recalled, tau of the paper; None for all,
            as in the authors' code.
        layer_norm: Layer normalisation over (C, window, h, w) after each convolution (the authors'
            code; OpenSTL has it off). The cell is normalised in any case.
        forget_bias: Added before the sigmoid of the global memory's forget gate.
        openstl: Compute as OpenSTL, whose weights need it; see
            `worldmodel.layers.e3d_lstm.E3DLSTMCell` for what differs.
    """

    paper: ClassVar[str] = "Wang et al., ICLR"
    year: ClassVar[int] = 2019

    window: int = 2
    memory_window: int | None = None
    layer_norm: bool = False
    forget_bias: float = 1.0
    openstl: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "window")
        if self.memory_window is not None:
            check_at_least(1, self, "memory_window")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> E3DLSTM:
        """See `ModelConfig.build`."""
        return E3DLSTM(frame_shape, action_dim, self)

    def codec(self, frame_shape: tuple[int, int, int]) -> FrameCodec:
        """See `StackConfig.codec`; the whole window of the top layer becomes the frame."""
        hidden = self.hidden * self.window
        if self.patch is None:
            return StridedConvCodec(frame_shape, hidden, kernel=self.kernel, residual=self.residual)
        return PatchCodec(frame_shape, hidden, patch=self.patch, residual=self.residual)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [
            E3DLSTMCell(
                self.hidden if layer else codec.features,
                self.hidden,
                codec.grid,
                window=self.window,
                kernel=self.kernel,
                memory_window=self.memory_window,
                normalise=self.layer_norm,
                forget_bias=self.forget_bias,
                bottom=layer == 0,
                openstl=self.openstl,
                action_features=action_features,
            )
            for layer in range(self.layers)
        ]


@final
class E3DLSTM(RecurrentStack[E3DLSTMConfig]):
    """E3D-LSTM (Wang et al., ICLR 2019): windows of frames through eidetic 3-D LSTMs.

    Trained with the sum of squared and absolute errors. With `openstl`, the convolution of the
    global memory that OpenSTL stores in every layer but feeds with zeros (200 hidden^2 weights at
    kernel 5) is not here; by default it is, with 3 of its 4 parts, and so are the biases of the
    paper's equations.

    The state holds `hidden{l}`, shape (B, hidden . window, h, w), and `history{l}`, shape
    (B, n, hidden . window, h, w), of every layer l, the one global `memory`, shaped as a hidden
    state, and `past0`, the last window - 1 frames' features. All are zero at the start, where n
    is 1; n grows by one per step, up to `memory_window`.
    """
