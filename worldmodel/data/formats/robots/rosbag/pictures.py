"""Messages of pictures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from worldmodel.data.files.pictures import decode_picture, picture_size
from worldmodel.errors import InputError

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"

ENCODINGS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "mono16": 2}
"""Bytes per pixel of what can be read; of mono16, the nearest of 256 levels is taken."""

COMPRESSIONS = ("jpeg", "jpg", "png")

_DEPTH = ("compresseddepth", "16uc1", "32fc1")


class Size(NamedTuple):
    """Of a picture."""

    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.channels}"


def is_depth(message: Any) -> bool:
    """Whether a message holds distances."""
    described = message.encoding if hasattr(message, "encoding") else message.format
    return any(depth in described.lower() for depth in _DEPTH)


def size(message: Any) -> Size:
    """Size of a picture, from what is declared.

    Raises:
        InputError: It is of a type that cannot be read, or is damaged.
    """
    if not hasattr(message, "encoding"):
        _check_compression(message.format)
        return Size(*picture_size(message.data.tobytes()))
    if message.encoding not in ENCODINGS:
        raise InputError(
            f"expected pictures encoded as {', '.join(ENCODINGS)}, got {message.encoding!r}"
        )
    row = message.width * ENCODINGS[message.encoding]
    if message.step < row or message.data.size != message.step * message.height:
        raise InputError(
            f"expected pictures of as many bytes as they declare, got {message.data.size} "
            f"of {message.height} rows of {message.step}, {row} used"
        )
    return Size(message.height, message.width, 1 if message.encoding.startswith("mono") else 3)


def pixels(message: Any, expected: Size) -> np.ndarray:
    """Decode a picture to uint8 (H, W, C).

    Raises:
        InputError: It is damaged, or of another size.
    """
    if not hasattr(message, "encoding"):
        _check_compression(message.format)
        return decode_picture(message.data.tobytes(), expected[:2], expected.channels)
    if size(message) != expected:
        raise InputError(f"expected a picture of {expected}, got {size(message)}")
    depth = ENCODINGS[message.encoding]
    rows = message.data.reshape(message.height, message.step)[:, : message.width * depth]
    picture = np.ascontiguousarray(rows).reshape(message.height, message.width, depth)
    if message.encoding == "mono16":
        levels = picture.view(">u2" if message.is_bigendian else "<u2")
        return np.rint(levels / 257).astype(np.uint8)
    order = [2, 1, 0] if message.encoding.startswith("bgr") else [0, 1, 2]
    return picture[..., order] if depth >= 3 else picture


def _check_compression(described: str) -> None:
    """Refuse what is neither JPEG nor PNG, and 16 bits, which would be clipped."""
    known = any(each in described.lower() for each in COMPRESSIONS)
    if not known or "16" in described.partition(";")[0]:
        raise InputError(f"expected JPEG or PNG pictures of 8 bits, got {described!r}")
