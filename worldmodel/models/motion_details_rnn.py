"""MoDeRNN: ConvLSTMs whose input and context attend to each other's details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.errors import check_at_least
from worldmodel.layers.codec import FrameCodec, PatchCodec
from worldmodel.layers.detail_cell import DetailCell
from worldmodel.layers.patches import PatchOrder
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class MotionDetailsRNNConfig(StackConfig):
    """Options of `MotionDetailsRNN`; the defaults are the authors' script for Moving MNIST.

    Attributes:
        kernel: Side of the gates' kernels; odd (5 in the paper).
        half_steps: Turns of the detail context block; from 2 on, all of its weights are used.
        forget_bias: Added before the sigmoid of the forget gate (the authors' code).
    """

    paper: ClassVar[str] = "Chai et al., ICASSP"
    year: ClassVar[int] = 2022

    kernel: int = 3
    half_steps: int = 5
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(2, self, "half_steps")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> MotionDetailsRNN:
        """See `ModelConfig.build`."""
        return MotionDetailsRNN(frame_shape, action_dim, self)

    def codec(self, frame_shape: tuple[int, int, int]) -> FrameCodec:
        """See `StackConfig.codec`; patches pass two 1x1 convolutions with a bias."""
        if self.patch is None:
            return super().codec(frame_shape)
        return PatchCodec(
            frame_shape,
            self.hidden,
            patch=self.patch,
            embed=True,
            residual=self.residual,
            output_bias=True,
            order=PatchOrder.CHANNEL_COLUMN_ROW,
        )

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [
            DetailCell(
                self.hidden,
                self.hidden,
                codec.grid,
                kernel=self.kernel,
                half_steps=self.half_steps,
                forget_bias=self.forget_bias,
                action_features=action_features,
            )
            for _ in range(self.layers)
        ]


@final
class MotionDetailsRNN(RecurrentStack[MotionDetailsRNNConfig]):
    """MoDeRNN (Chai et al., ICASSP 2022; "motion details"), not to be confused with ModeRNN.

    Follows the authors' code where it settles what the paper leaves open: layer normalisation, the
    number of half steps, the order of a patch's pixels. Its kernels are 3x3, the paper's 5x5. The
    paper counts 4.59 million parameters; its code for Moving MNIST has 5.87 million, as this.

    The authors train without the first prediction, on half the sum of squared and absolute errors.

    The state holds `hidden{l}` and `cell{l}` of every layer l, each of shape (B, hidden, h, w),
    zero at the start.
    """
