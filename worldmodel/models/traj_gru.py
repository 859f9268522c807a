"""TrajGRU, with and without actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.errors import check_at_least, check_odd
from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.layers.traj_gru import TrajGRUCell
from worldmodel.models.stack import RecurrentStack, StackConfig


@final
@dataclass(frozen=True, kw_only=True)
class TrajGRUConfig(StackConfig):
    """Options of `TrajGRU`; the defaults are the paper's 13 links and 3 layers, at one width.

    Attributes:
        links: Flows L along which a hidden state is warped.
        flow_features: Channels between the two layers that generate the flows.
        flow_kernel: Side of the kernels of these layers; odd.
        negative_slope: Of the leaky rectifiers.
    """

    paper: ClassVar[str] = "Shi et al., NeurIPS"
    year: ClassVar[int] = 2017

    layers: int = 3
    kernel: int = 3
    links: int = 13
    flow_features: int = 32
    flow_kernel: int = 5
    negative_slope: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "links", "flow_features")
        check_odd(self, "flow_kernel")
        check_at_least(0, self, "negative_slope")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> TrajGRU:
        """See `ModelConfig.build`."""
        return TrajGRU(frame_shape, action_dim, self)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [
            TrajGRUCell(
                self.hidden if layer else codec.features,
                self.hidden,
                codec.grid,
                kernel=self.kernel,
                links=self.links,
                flow_features=self.flow_features,
                flow_kernel=self.flow_kernel,
                negative_slope=self.negative_slope,
                action_features=action_features,
            )
            for layer in range(self.layers)
        ]


@final
class TrajGRU(RecurrentStack[TrajGRUConfig]):
    """TrajGRUs (Shi et al., NeurIPS 2017) in a stack that steps from frame to frame.

    The published model is an encoder of the past and a forecaster that emits all future frames in
    one go, each of three TrajGRUs on maps that halve from layer to layer. Here, as in the other
    stacks, the layers share one grid and width and every predicted frame is fed back, so that each
    may depend on an action.

    The state holds `hidden{l}` of every layer l, of shape (B, hidden, h, w), zero at the start.
    """
