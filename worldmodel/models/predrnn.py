"""PredRNN and PredRNN-V2, with and without actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, final

from torch import nn

from worldmodel.errors import InputError, check_one_of
from worldmodel.layers.codec import FrameCodec
from worldmodel.layers.memory_flow import MemoryFlowCell
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.layers.st_lstm import STLSTMCell
from worldmodel.models.stack import RecurrentStack, StackConfig

MemoryFlow = Literal["zigzag", "without-bottom-up", "without-top-down", "M-only"]
"""Paths of the spatiotemporal memory M: from layer to layer upwards and from the top layer to the
bottom layer of the next step ("zigzag", PredRNN); without one of the two (PredRNN-V2, table 2); or
both, in ConvLSTMs that have no other memory (PredRNN-M-Only, equation 3)."""


@final
@dataclass(frozen=True, kw_only=True)
class PredRNNConfig(StackConfig):
    """Options of `PredRNN`; the defaults are PredRNN-V2 in layers of 64 channels.

    The one published for Moving MNIST has 4 layers of 128: `hidden=128`.

    Attributes:
        layer_norm: Layer normalisation over (C, h, w) after each convolution.
        bias: Convolutions of the cells have a bias (the published action-conditioned model).
        forget_bias: Added before the sigmoid of the forget gates.
        memory_decoupling: Train with the decoupling term of PredRNN-V2; without it, PredRNN.
        memory_flow: Paths of the spatiotemporal memory. Where one is removed, nothing takes its
            place: the layers above the bottom one, or the bottom one, read no memory.
    """

    paper: ClassVar[str] = "Wang et al., TPAMI"
    year: ClassVar[int] = 2022

    layer_norm: bool = False
    bias: bool = False
    forget_bias: float = 1.0
    memory_decoupling: bool = True
    memory_flow: MemoryFlow = "zigzag"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of(self, "memory_flow", MemoryFlow)
        if self.memory_flow == "M-only" and self.memory_decoupling:
            raise InputError(
                "PredRNNConfig.memory_decoupling: expected False with memory_flow M-only, "
                "which has no second memory, got True"
            )

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> PredRNN:
        """See `ModelConfig.build`."""
        return PredRNN(frame_shape, action_dim, self)

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [
            self._unit(layer, codec.features)(
                hidden=self.hidden,
                grid=codec.grid,
                kernel=self.kernel,
                normalise=self.layer_norm,
                bias=self.bias,
                forget_bias=self.forget_bias,
                action_features=action_features,
            )
            for layer in range(self.layers)
        ]

    def _unit(self, layer: int, features: int) -> Callable[..., RecurrentLayer]:
        """The recurrent unit of a layer, without the options that all of them share."""
        if self.memory_flow == "M-only":
            return partial(MemoryFlowCell, None if layer else features)
        missing = "without-bottom-up" if layer else "without-top-down"
        return partial(
            STLSTMCell,
            self.hidden if layer else features,
            reads_memory=self.memory_flow != missing,
        )

    def adapter(self) -> nn.Conv2d | None:
        """See `StackConfig.adapter`."""
        if not self.memory_decoupling:
            return None
        return nn.Conv2d(self.hidden, self.hidden, 1, bias=False)


@final
class PredRNN(RecurrentStack[PredRNNConfig]):
    """PredRNN-V2 (Wang et al., TPAMI 2022): ST-LSTMs whose memory zigzags through the layers.

    The state holds `hidden{l}` and `cell{l}` of every layer l and the one `memory`, each of shape
    (B, hidden, h, w), zero at the start. Without the top-down path no `memory` outlives the step.
    PredRNN-M-Only has no cells, and holds the top layer's hidden state also as `hidden`, which
    returns to the bottom layer with the memory.
    """
