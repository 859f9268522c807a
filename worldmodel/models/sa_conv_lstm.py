"""SA-ConvLSTM, with and without actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.errors import check_at_least
from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.layers.sa_conv_lstm import SAConvLSTMCell
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class SAConvLSTMConfig(StackConfig):
    """Options of `SAConvLSTM`; the sizes are those of public re-implementations.

    Attributes:
        key: Channels of a query and a key.
        layer_norm: Layer normalisation over (C, h, w) of what a layer hands up (the
            re-implementations). Without it, an untrained stack of four hardly sees its frames.
    """

    paper: ClassVar[str] = "Lin et al., AAAI"
    year: ClassVar[int] = 2020

    kernel: int = 3
    key: int = 64
    layer_norm: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "key")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> SAConvLSTM:
        """See `ModelConfig.build`."""
        return SAConvLSTM(frame_shape, action_dim, self)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [
            SAConvLSTMCell(
                self.hidden if layer else codec.features,
                self.hidden,
                codec.grid,
                kernel=self.kernel,
                key=self.key,
                normalise=self.layer_norm,
                action_features=action_features,
            )
            for layer in range(self.layers)
        ]


@final
class SAConvLSTM(RecurrentStack[SAConvLSTMConfig]):
    """SA-ConvLSTM (Lin et al., AAAI 2020): ConvLSTMs with a memory that attends over positions.

    The authors published no code. Attention costs the square of the h w positions.

    The state holds `hidden{l}`, `cell{l}` and `memory{l}` of every layer l, each of shape
    (B, hidden, h, w), zero at the start.
    """
