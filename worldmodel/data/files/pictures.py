"""Single pictures from compressed bytes, and back."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from worldmodel.data.recording import LONGEST_SIDE
from worldmodel.errors import InputError

JPEG_QUALITY = 95
"""Quality of JPEG, 1 to 95."""

_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def encode_jpeg(frame: np.ndarray) -> bytes:
    """Encode an RGB frame, uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def encode_png(frame: np.ndarray) -> bytes:
    """Encode a frame without loss, uint8 (H, W, 3) or (H, W, 1)."""
    buffer = io.BytesIO()
    Image.fromarray(frame if frame.shape[2] == 3 else frame[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


def picture_size(data: bytes, origin: str) -> tuple[int, int, int]:
    """Height, width and channels (1 or 3) of a picture, from its head alone.

    Raises:
        InputError: It is no picture, or a very large one; names `origin`.
    """
    with _opened(data, origin) as image:
        return image.height, image.width, _channels(image)


def decode_picture(
    data: bytes, origin: str, size: tuple[int, int] | None = None, channels: int | None = None
) -> np.ndarray:
    """Decode PNG, JPEG, PGM, GIF, TIFF, WebP and whatever else Pillow knows.

    Args:
        data: A whole file.
        origin: What to call it in an error.
        size: Height and width it must have.
        channels: 3 for RGB, 1 for gray; as recorded if left out.

    Returns:
        uint8 (H, W, C).

    Raises:
        InputError: It is damaged, very large, or has another size.
    """
    with _opened(data, origin) as image:
        if size is not None and (image.height, image.width) != size:
            raise InputError(
                f"{origin}: expected a picture of {size[0]}x{size[1]}, "
                f"got {image.height}x{image.width}"
            )
        mode = "RGB" if (channels or _channels(image)) == 3 else "L"
        try:
            pixels = np.asarray(_eight_bit(image, origin).convert(mode))
        except _DAMAGE as error:
            raise InputError(f"{origin}: damaged picture ({error})") from error
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _opened(data: bytes, origin: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise InputError(f"{origin}: no readable picture (of no known kind)") from error
    except _DAMAGE as error:
        raise InputError(f"{origin}: no readable picture ({error})") from error
    if max(image.size) > LONGEST_SIDE:
        raise InputError(
            f"{origin}: expected a picture of at most {LONGEST_SIDE} pixels a side, "
            f"got {image.height}x{image.width}"
        )
    return image


def _eight_bit(image: Image.Image, origin: str) -> Image.Image:
    """The picture with 8 bit per channel, the upper ones of 16; Pillow would clip.

    Raises:
        InputError: It has other numbers of bits.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InputError(f"{origin}: expected 8 or 16 bit per channel, got 32 (mode {image.mode})")
    return image


def _channels(image: Image.Image) -> int:
    return 1 if image.mode[0] in "1LIF" and image.mode != "LAB" else 3
