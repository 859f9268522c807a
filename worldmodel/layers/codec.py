"""Frame codecs: how pixels enter a recurrent stack and how its top layer becomes pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import final

from torch import Tensor, nn

from worldmodel.layers.conv_block import growing, shrinking, start_small
from worldmodel.layers.patches import (
    PatchOrder,
    check_divisible,
    depth_to_space,
    space_to_depth,
)

Skips = tuple[Tensor, ...]
"""What the decoder needs of the encoder; empty without residual connections."""

_halving = partial(shrinking, factor=2, bias=False)
_doubling = partial(growing, factor=2, bias=False)


class FrameCodec(nn.Module, ABC):
    """Pixels to features and back.

    Attributes:
        features: Channels that enter the recurrent stack.
        grid: Height and width (h, w) of the recurrent stack's maps.
    """

    features: int
    grid: tuple[int, int]

    @abstractmethod
    def encode(self, frame: Tensor) -> tuple[Tensor, Skips]:
        """Frame (B, C, H, W) to features (B, features, h, w)."""

    @abstractmethod
    def decode(self, hidden: Tensor, skips: Skips) -> Tensor:
        """Hidden state (B, hidden, h, w) to a frame (B, C, H, W)."""

    @abstractmethod
    def action_encoder(self, action_dim: int) -> nn.Module:
        """Linear map of A planes of `action_image_size` to `action_features` maps on the grid."""

    @abstractmethod
    def action_features(self, action_dim: int) -> int:
        """Channels that `action_encoder` returns."""

    @property
    @abstractmethod
    def action_image_size(self) -> tuple[int, int]:
        """Height and width of the action planes that `action_encoder` takes."""


@final
class PatchCodec(FrameCodec):
    """Space-to-depth patches in, a 1x1 convolution and depth-to-space out.

    The PredRNN codec (its code; the paper leaves it open), and its kin.

    Args:
        frame_shape: (C, H, W) in pixels.
        hidden: Channels of the recurrent stack.
        patch: Side p of a patch, in pixels.
        embed: Pass the patches through a 1x1 convolution to `hidden` channels first (ModeRNN).
        residual: Predict the change of the frame instead of the frame. The output then starts
            small: an untrained stack predicts nearly no change, and need not unlearn random
            changes first.
        output_bias: The last convolution has a bias.
        order: Where a patch's pixels go among the channels.
    """

    def __init__(
        self,
        frame_shape: tuple[int, int, int],
        hidden: int,
        *,
        patch: int,
        embed: bool = False,
        residual: bool = False,
        output_bias: bool = False,
        order: PatchOrder = PatchOrder.ROW_COLUMN_CHANNEL,
    ) -> None:
        super().__init__()
        channels, height, width = frame_shape
        check_divisible(height, width, patch)
        self.patch, self.order, self.residual = patch, order, residual
        self.grid = (height // patch, width // patch)
        depth = channels * patch**2
        self.features = hidden if embed else depth
        self.embedding = nn.Conv2d(depth, hidden, 1) if embed else nn.Identity()
        self.output = nn.Conv2d(hidden, depth, 1, bias=output_bias)
        if residual:
            start_small(self.output)

    def encode(self, frame: Tensor) -> tuple[Tensor, Skips]:
        """See `FrameCodec.encode`."""
        skips = (frame,) if self.residual else ()
        return self.embedding(space_to_depth(frame, self.patch, self.order)), skips

    def decode(self, hidden: Tensor, skips: Skips) -> Tensor:
        """See `FrameCodec.decode`."""
        frame = depth_to_space(self.output(hidden), self.patch, self.order)
        return frame + skips[0] if skips else frame

    def action_encoder(self, action_dim: int) -> nn.Module:
        """The planes enter at the grid's resolution as they are."""
        return nn.Identity()

    def action_features(self, action_dim: int) -> int:
        """One map per dimension."""
        return action_dim

    @property
    def action_image_size(self) -> tuple[int, int]:
        """The grid."""
        return self.grid


@final
class StridedConvCodec(FrameCodec):
    """Two strided convolutions in, two transposed convolutions out, none with a bias.

    The codec of the action-conditioned PredRNN-V2 (its code). The recurrent grid is a quarter of
    the frame.

    Args:
        frame_shape: (C, H, W) in pixels.
        hidden: Channels of the recurrent stack; at least 2.
        kernel: Side of all four kernels.
        residual: Add each encoder map to the decoder's input of the same size (`res_on_conv`).
    """

    def __init__(
        self,
        frame_shape: tuple[int, int, int],
        hidden: int,
        *,
        kernel: int = 5,
        residual: bool = True,
    ) -> None:
        super().__init__()
        channels, height, width = frame_shape
        check_divisible(height, width, 4)
        self.residual = residual
        self.hidden, self.kernel = hidden, kernel
        self.frame_size, self.grid = (height, width), (height // 4, width // 4)
        self.features = hidden
        self.input1 = _halving(channels, hidden // 2, kernel=kernel)
        self.input2 = _halving(hidden // 2, hidden, kernel=kernel)
        self.output1 = _doubling(hidden, hidden // 2, kernel=kernel)
        self.output2 = _doubling(hidden // 2, channels, kernel=kernel)

    def encode(self, frame: Tensor) -> tuple[Tensor, Skips]:
        """See `FrameCodec.encode`."""
        half = self.input1(frame)
        quarter = self.input2(half)
        return quarter, (half, quarter) if self.residual else ()

    def decode(self, hidden: Tensor, skips: Skips) -> Tensor:
        """See `FrameCodec.decode`."""
        if not skips:
            return self.output2(self.output1(hidden))
        half, quarter = skips
        return self.output2(self.output1(hidden + quarter) + half)

    def action_encoder(self, action_dim: int) -> nn.Module:
        """Two strided convolutions of the planes' own."""
        return nn.Sequential(
            _halving(action_dim, self.hidden // 2, kernel=self.kernel),
            _halving(self.hidden // 2, self.hidden, kernel=self.kernel),
        )

    def action_features(self, action_dim: int) -> int:
        """As many as a frame's."""
        return self.hidden

    @property
    def action_image_size(self) -> tuple[int, int]:
        """The frame's."""
        return self.frame_size
