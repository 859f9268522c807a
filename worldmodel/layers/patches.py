"""Space-to-depth and back, in the orders that published weights expect."""

from __future__ import annotations

from enum import Enum

from torch import Tensor

from worldmodel.errors import InputError


class PatchOrder(Enum):
    """Where pixel (row, column) of channel c in a p x p patch goes among the C p^2 channels."""

    ROW_COLUMN_CHANNEL = "(row p + column) C + c"
    CHANNEL_COLUMN_ROW = "(c p + column) p + row"


_TO_DEPTH = {
    PatchOrder.ROW_COLUMN_CHANNEL: (0, 3, 5, 1, 2, 4),
    PatchOrder.CHANNEL_COLUMN_ROW: (0, 1, 5, 3, 2, 4),
}
_TO_SPACE = {
    PatchOrder.ROW_COLUMN_CHANNEL: (0, 3, 4, 1, 5, 2),
    PatchOrder.CHANNEL_COLUMN_ROW: (0, 1, 4, 3, 5, 2),
}


def check_divisible(height: int, width: int, patch: int) -> None:
    """Refuse a frame that does not split into whole patches.

    Raises:
        InputError: `patch` does not divide height and width.
    """
    if height % patch or width % patch:
        raise InputError(
            f"frames: {patch} does not divide their height and width ({height}, {width})"
        )


def space_to_depth(
    frames: Tensor, patch: int, order: PatchOrder = PatchOrder.ROW_COLUMN_CHANNEL
) -> Tensor:
    """Fold patches into channels: (B, C, H, W) to (B, C p^2, H/p, W/p)."""
    batch, channels, height, width = frames.shape
    check_divisible(height, width, patch)
    h, w = height // patch, width // patch
    split = frames.reshape(batch, channels, h, patch, w, patch)
    return split.permute(_TO_DEPTH[order]).reshape(batch, channels * patch**2, h, w)


def depth_to_space(
    patches: Tensor, patch: int, order: PatchOrder = PatchOrder.ROW_COLUMN_CHANNEL
) -> Tensor:
    """Unfold channels into patches: (B, C p^2, h, w) to (B, C, h p, w p)."""
    batch, depth, h, w = patches.shape
    channels = depth // patch**2
    folded = {
        PatchOrder.ROW_COLUMN_CHANNEL: (batch, patch, patch, channels, h, w),
        PatchOrder.CHANNEL_COLUMN_ROW: (batch, channels, patch, patch, h, w),
    }[order]
    split = patches.reshape(folded).permute(_TO_SPACE[order])
    return split.reshape(batch, channels, h * patch, w * patch)
