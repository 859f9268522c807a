"""MotionRNN: MotionGRU and motion highway for any recurrent stack with output gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, final

from torch import nn

from worldmodel.errors import InputError, check_at_least, check_odd
from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.motion_gru import MotionGRU
from worldmodel.layers.motion_layer import MotionLayer, MotionTransition
from worldmodel.layers.recurrent import RecurrentLayer, Shape
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.stack import RecurrentStack, StackConfig, StackParts


@final
@dataclass(frozen=True, kw_only=True)
class MotionRNNConfig(StackParts):
    """Options of `MotionRNN`; the defaults are the published MotionRNN on PredRNN.

    `highway`, `transient` and `trend_rate` span the paper's table 3: all off is the backbone.

    Attributes:
        backbone: The stack that it wraps. Its layers must expose their output gate for the motion
            highway.
        highway: With the motion highway.
        transient: With the transient variation. Without it the motion filter is the trend alone,
            and by the equations stays at the zeros that it starts from: the warp gathers neighbours
            that have not moved.
        trend_rate: Step alpha of the trend, in [0, 1]; 0 for none. There is no MotionGRU if the
            transient variation is off too.
        encoder_kernel: Side of the kernels that encode a hidden state for MotionGRU; odd.
        transient_kernel: Side of the transient variation's kernels; odd (1 in the paper).
        fusion_kernel: Side of the kernel that gates what MotionGRU returns; odd (1 in the paper).
    """

    paper: ClassVar[str] = "Wu et al., CVPR"
    year: ClassVar[int] = 2021

    backbone: StackConfig = field(default_factory=lambda: PredRNNConfig(memory_decoupling=False))
    highway: bool = True
    transient: bool = True
    trend_rate: float = 0.5
    encoder_kernel: int = 5
    transient_kernel: int = 3
    fusion_kernel: int = 5

    def __post_init__(self) -> None:
        check_odd(self, "encoder_kernel", "transient_kernel", "fusion_kernel")
        check_at_least(0, self, "trend_rate")
        if self.trend_rate > 1:
            raise InputError(
                f"MotionRNNConfig.trend_rate: expected at most 1, got {self.trend_rate:g}"
            )
        if self.backbone.hidden < 4:
            raise InputError(
                "MotionRNNConfig.backbone: MotionGRU works on a quarter of the channels, expected "
                f"at least 4, got {self.backbone.hidden}"
            )

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> MotionRNN:
        """See `ModelConfig.build`."""
        return MotionRNN(frame_shape, action_dim, self)

    def codec(self, frame_shape: tuple[int, int, int]) -> FrameCodec:
        """The backbone's."""
        return self.backbone.codec(frame_shape)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """The backbone's, each in a `MotionLayer`.

        Raises:
            InputError: The codec's grid has an odd height or width.
        """
        cells = self.backbone.cells(codec, action_features)
        return [
            MotionLayer(
                cell,
                transition=self._transition(cell.own["hidden"]) if above else None,
                highway=self.highway,
                inputs=codec.features if layer == 0 else None,
            )
            for layer, (cell, above) in enumerate(zip(cells, [*cells[1:], None], strict=True))
        ]

    def adapter(self) -> nn.Conv2d | None:
        """The backbone's."""
        return self.backbone.adapter()

    def _transition(self, shape: Shape) -> MotionTransition | None:
        if not self.transient and not self.trend_rate:
            return None
        gru = MotionGRU(
            self.backbone.hidden // 4,
            kernel=self.transient_kernel,
            transient=self.transient,
            trend_rate=self.trend_rate,
        )
        return MotionTransition(
            shape,
            gru,
            channels=self.backbone.hidden,
            encoder_kernel=self.encoder_kernel,
            fusion_kernel=self.fusion_kernel,
        )


@final
class MotionRNN(RecurrentStack[MotionRNNConfig]):
    """MotionRNN (Wu et al., CVPR 2021): a stack whose hidden states are moved from layer to layer.

    Every layer but the top one passes its hidden state through a MotionGRU, which warps it by a
    learned motion filter; past every layer leads a highway for what the MotionGRUs would blur.

    Where paper and authors' code differ, this is the code: the moved hidden state replaces the
    layer's own (equation 1 keeps both), MotionGRU takes the hidden state of this step and not of
    the last (as figure 3 draws it), the fusion gate weighs the decoded state and its complement the
    other, the highway begins at a 1x1 convolution of the bottom layer's input, and the kernels are
    wider. The code draws initial states at random, in the test too; here they are zero. It trains
    with the squared error only, the paper with the absolute error beside it.

    The state holds what the backbone's does, and `motion_filter{l}` and `motion_trend{l}` of every
    layer l but the top one, each of shape (B, 18, h/2, w/2), zero at the start.
    """
