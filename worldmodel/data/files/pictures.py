"""Single pictures from compressed bytes, and back.

They are decoded by Pillow itself: imageio does it by Pillow too, in twice the time, and would have
to open each picture once more to learn its size first.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable

import numpy as np
from PIL import Image, UnidentifiedImageError

from worldmodel.data.recording import LONGEST_SIDE, Camera
from worldmodel.errors import InputError, located

JPEG_QUALITY = 95
"""Quality of JPEG, 1 to 95."""

_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def encode_jpeg(frame: np.ndarray) -> bytes:
    """Encode an RGB frame, uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def picture_size(data: bytes) -> tuple[int, int, int]:
    """Height, width and channels (1 or 3) of a picture, from its head alone.

    Raises:
        InputError: It is no picture, or a very large one.
    """
    with _opened(data) as image:
        return image.height, image.width, _channels(image)


def decode_picture(
    data: bytes, size: tuple[int, int] | None = None, channels: int | None = None
) -> np.ndarray:
    """Decode PNG, JPEG, PGM, GIF, TIFF, WebP and whatever else Pillow knows.

    Args:
        data: A whole file.
        size: Height and width it must have.
        channels: 3 for RGB, 1 for gray; as recorded if left out.

    Returns:
        uint8 (H, W, C).

    Raises:
        InputError: It is damaged, very large, or has another size.
    """
    with _opened(data) as image:
        if size is not None and (image.height, image.width) != size:
            raise InputError(
                f"expected a picture of {size[0]}x{size[1]}, got {image.height}x{image.width}"
            )
        mode = "RGB" if (channels or _channels(image)) == 3 else "L"
        try:
            pixels = np.asarray(_eight_bit(image).convert(mode))
        except _DAMAGE as error:
            raise InputError(f"damaged picture ({error})") from error
    return pixels if pixels.ndim == 3 else pixels[..., None]


def decode_pictures(stored: Iterable[bytes], steps: Iterable[int], camera: Camera) -> np.ndarray:
    """Decode the pictures of a camera at some steps.

    Args:
        stored: A whole file each; read one at a time.
        steps: Number of each frame.
        camera: Says of which size they must be.

    Returns:
        uint8 (n, H, W, C).

    Raises:
        InputError: One is damaged, or has another size; names the frame.
    """
    pictures = []
    for step, data in zip(steps, stored, strict=True):
        with located(frame=step):
            size = camera.height, camera.width
            pictures.append(decode_picture(data, size, camera.channels))
    return np.stack(pictures)


def _opened(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise InputError("no readable picture (of no known kind)") from error
    except _DAMAGE as error:
        raise InputError(f"no readable picture ({error})") from error
    if max(image.size) > LONGEST_SIDE:
        raise InputError(
            f"expected a picture of at most {LONGEST_SIDE} pixels a side, "
            f"got {image.height}x{image.width}"
        )
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """The picture with 8 bit per channel, the upper ones of 16; Pillow would clip.

    Raises:
        InputError: It has other numbers of bits.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InputError(f"expected 8 or 16 bit per channel, got 32 (mode {image.mode})")
    return image


def _channels(image: Image.Image) -> int:
    return 1 if image.mode[0] in "1LIF" and image.mode != "LAB" else 3
