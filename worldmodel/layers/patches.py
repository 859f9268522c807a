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
    PatchOrder.ROW_COLUMN_CHANNEL: (0, 1, 3, 2, 4, 5),
    PatchOrder.CHANNEL_COLUMN_ROW: (0, 1, 3, 5, 4, 2),
}
_TO_SPACE = {
    PatchOrder.ROW_COLUMN_CHANNEL: (0, 1, 3, 2, 4, 5),
    PatchOrder.CHANNEL_COLUMN_ROW: (0, 1, 5, 2, 4, 3),
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
    """Fold patches into channels: (B, C, H, W) to (B, C p^2, H/p, W/p), channels last."""
    batch, channels, height, width = frames.shape
    check_divisible(height, width, patch)
    h, w = height // patch, width // patch
    split = frames.permute(0, 2, 3, 1).reshape(batch, h, patch, w, patch, channels)
    folded = split.permute(_TO_DEPTH[order]).reshape(batch, h, w, channels * patch**2)
    return folded.permute(0, 3, 1, 2)


def depth_to_space(
    patches: Tensor, patch: int, order: PatchOrder = PatchOrder.ROW_COLUMN_CHANNEL
) -> Tensor:
    """Unfold channels into patches: (B, C p^2, h, w) to (B, C, h p, w p), channels last."""
    batch, depth, h, w = patches.shape
    channels = depth // patch**2
    sides = {
        PatchOrder.ROW_COLUMN_CHANNEL: (patch, patch, channels),
        PatchOrder.CHANNEL_COLUMN_ROW: (channels, patch, patch),
    }[order]
    split = patches.permute(0, 2, 3, 1).reshape(batch, h, w, *sides)
    frames = split.permute(_TO_SPACE[order]).reshape(batch, h * patch, w * patch, channels)
    return frames.permute(0, 3, 1, 2)
