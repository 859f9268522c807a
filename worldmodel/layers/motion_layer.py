"""A recurrent layer under MotionRNN's two additions: a MotionGRU after it, a highway past it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.action import ActionFeatures
from worldmodel.layers.conv_block import growing, shrinking
from worldmodel.layers.motion_gru import FILTER_CHANNELS, MotionGRU
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer, Shape, zeros

_HIGHWAY = "highway"
_FILTER, _TREND = "motion_filter", "motion_trend"


@final
class MotionTransition(nn.Module):
    """A hidden state's way through a MotionGRU (MotionRNN, equation 4).

    Of a hidden state with slices, the encoder takes all to one map and the decoder gives each its
    own, as the paper's 3-D convolutions do for E3D-LSTM; the fusion gate takes them one by one.

    Args:
        shape: (C slices, h, w) of the hidden state; the channels are (channel, slice).
        gru: For C // 4 channels at half the height and width.
        channels: C.
        encoder_kernel: Side of the encoder's kernel.
        fusion_kernel: Side of the fusion gate's kernel.

    Attributes:
        own: Shape of each entry of its state, by name, without the batch.

    Raises:
        InputError: Height or width is odd.
    """

    def __init__(
        self,
        shape: Shape,
        gru: MotionGRU,
        *,
        channels: int,
        encoder_kernel: int,
        fusion_kernel: int,
    ) -> None:
        super().__init__()
        folded, height, width = shape
        if height % 2 or width % 2:
            raise InputError(
                "MotionGRU works at half the height and width of the maps: expected both even, "
                f"got ({height}, {width})"
            )
        filter_shape = (FILTER_CHANNELS, height // 2, width // 2)
        self.own = {_FILTER: filter_shape, _TREND: filter_shape}
        self.channels, code = channels, channels // 4
        self.encoder = shrinking(folded, code, kernel=encoder_kernel, factor=2)
        self.gru = gru
        self.decoder = growing(code, folded, kernel=4, factor=2)
        self.fusion = nn.Conv2d(2 * channels, channels, fusion_kernel, padding=fusion_kernel // 2)

    def forward(
        self, hidden: Tensor, offsets: Tensor, trend: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The moved hidden state, of its own shape, the new motion filter and the new trend."""
        moved, offsets, trend = self.gru(self.encoder(hidden), offsets, trend)
        decoded = self.decoder(moved)
        gate = torch.sigmoid(self._fusion(decoded, hidden))
        return gate * decoded + (1 - gate) * hidden, offsets, trend

    def _fusion(self, decoded: Tensor, hidden: Tensor) -> Tensor:
        both = torch.cat(
            [maps.unflatten(1, (self.channels, -1)) for maps in (decoded, hidden)], dim=1
        )
        slices = both.transpose(1, 2)
        gate = self.fusion(slices.flatten(0, 1)).unflatten(0, slices.shape[:2])
        return gate.transpose(1, 2).flatten(1, 2)


@final
class MotionLayer(RecurrentLayer):
    """A recurrent layer whose hidden state is moved on its way up (MotionRNN, equation 1).

    As in the authors' code, the moved hidden state is also what the layer itself goes on from, and
    what flows on under the name of `hidden`. A layer that normalises its hidden state on the way up
    has the result moved. The state is the wrapped layer's, and `motion_filter` and `motion_trend`
    if there is a transition.

    Args:
        inner: The layer that is wrapped.
        transition: What moves its hidden state; None for the top layer.
        highway: Add the hidden state of the layer below, past this layer and before it was moved,
            where the output gate is closed.
        inputs: Channels of the bottom layer's input, whose 1x1 convolution begins the highway;
            None above it.

    Raises:
        InputError: There is to be a highway, and the layer has no output gate.
    """

    def __init__(
        self,
        inner: RecurrentLayer,
        *,
        transition: MotionTransition | None,
        highway: bool,
        inputs: int | None,
    ) -> None:
        super().__init__()
        if highway and not inner.gated:
            raise InputError(
                "the motion highway passes where an output gate is closed; expected layers with "
                f"one, got {type(inner).__name__}"
            )
        self.own = {**inner.own, **({} if transition is None else transition.own)}
        self.flow = inner.flow
        self.inner, self.transition, self.highway = inner, transition, highway
        self.entrance = None
        if highway and inputs is not None:
            self.entrance = nn.Conv2d(inputs, inner.own["hidden"][0], 1, bias=False)

    def initial(
        self, batch: int, device: torch.device | str, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """The wrapped layer's, and no motion."""
        return {
            **zeros(self.own, batch, device, dtype),
            **self.inner.initial(batch, device, dtype),
        }

    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """See `RecurrentLayer.forward`."""
        output = self.inner(x, own, flow, action)
        if not self.highway and self.transition is None:
            return output
        hidden, motion, onward = output.output, {}, {}
        if self.highway:
            below = flow[_HIGHWAY] if self.entrance is None else self.entrance(x)
            assert output.gate is not None
            hidden = hidden + (1 - output.gate) * below
            onward[_HIGHWAY] = hidden
        if self.transition is not None:
            hidden, offsets, trend = self.transition(hidden, own[_FILTER], own[_TREND])
            motion = {_FILTER: offsets, _TREND: trend}
        if "hidden" in self.flow:
            onward["hidden"] = hidden
        return LayerOutput(
            hidden,
            {**output.own, **motion, "hidden": hidden},
            {**output.flow, **onward},
            increments=output.increments,
        )
