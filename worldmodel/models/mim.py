"""MIM: Memory in Memory, with and without memory decoupling and actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from torch import nn

from worldmodel.errors import check_at_least
from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.mim import MIMBlock
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.layers.st_lstm import STLSTMCell
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class MIMConfig(StackConfig):
    """Options of `MIM`; at least 2 layers, of which the lowest is an ST-LSTM.

    Attributes:
        layer_norm: Layer normalisation over (C, h, w) after each k x k convolution (the authors'
            TensorFlow code; OpenSTL has it off).
        forget_bias: Added before the sigmoid of the forget gates.
        memory_decoupling: Train with the decoupling term of PredRNN-V2 (its table 3) on what the
            cell and the spatiotemporal memory of each layer gain.
        stationary_gradient: Let gradients pass through time in the memory of MIM-S, as in the
            authors' TensorFlow code; OpenSTL stops them at every step.
    """

    paper: ClassVar[str] = "Wang et al., CVPR"
    year: ClassVar[int] = 2019

    layer_norm: bool = False
    forget_bias: float = 1.0
    memory_decoupling: bool = False
    stationary_gradient: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(2, self, "layers")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> MIM:
        """See `ModelConfig.build`."""
        return MIM(frame_shape, action_dim, self)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        lowest = STLSTMCell(
            codec.features,
            self.hidden,
            codec.grid,
            kernel=self.kernel,
            normalise=self.layer_norm,
            bias=False,
            forget_bias=self.forget_bias,
            reads_memory=True,
            action_features=action_features,
        )
        blocks = [
            MIMBlock(
                self.hidden,
                codec.grid,
                kernel=self.kernel,
                normalise=self.layer_norm,
                forget_bias=self.forget_bias,
                lowest=layer == 1,
                stationary_gradient=self.stationary_gradient,
                action_features=action_features,
            )
            for layer in range(1, self.layers)
        ]
        return [lowest, *blocks]

    def adapter(self) -> nn.Conv2d | None:
        """See `StackConfig.adapter`."""
        if not self.memory_decoupling:
            return None
        return nn.Conv2d(self.hidden, self.hidden, 1, bias=False)


@final
class MIM(RecurrentStack[MIMConfig]):
    """MIM (Wang et al., CVPR 2019): an ST-LSTM under blocks that model how it changes.

    Computes what the authors' code computes (see `worldmodel.layers.mim.MIMBlock` for where the
    paper's equations differ), but always starts from zeros: OpenSTL's MIM-S keeps its memory from
    one clip to the next. OpenSTL has 2 hidden^2 more parameters per block, a 1x1 convolution of
    each MIM-N that its forward never uses.

    The state holds `hidden{l}` and `cell{l}` of every layer l, what `MIMBlock` adds to them, and
    the one `memory` that zigzags through the layers; maps of shape (B, hidden, h, w), zero at the
    start.
    """
