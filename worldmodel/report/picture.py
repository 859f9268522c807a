"""Pictures as uint8 arrays (H, W, 3): from tensors, magnified, labelled, put side by side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

PAPER = (255, 255, 255)
INK = (40, 44, 52)
GAP = 4
FONT_SIZE = 13
LINE = FONT_SIZE + 7


def to_uint8(frames: Tensor) -> np.ndarray:
    """Floats (..., C, H, W), clipped to [0, 1], as RGB bytes (..., H, W, 3); gray is repeated."""
    pixels = frames.detach().clamp(0.0, 1.0).mul(255.0).round().byte().movedim(-3, -1)
    return pixels.expand(*pixels.shape[:-1], 3).cpu().numpy()


def magnified(picture: np.ndarray, scale: int) -> np.ndarray:
    """Repeat every pixel `scale` times both ways."""
    return picture.repeat(scale, axis=-3).repeat(scale, axis=-2)


def text(words: str, width: int | None = None) -> np.ndarray:
    """One line of text, as wide as it needs or centred in `width` pixels, cut off at its edges."""
    font = ImageFont.load_default(FONT_SIZE)
    needed = round(font.getlength(words)) + 2 * GAP
    canvas = Image.new("RGB", (needed if width is None else width, LINE), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((canvas.width / 2, LINE / 2), words, fill=INK, font=font, anchor="mm")
    return np.asarray(canvas)


def labelled(picture: np.ndarray, label: str) -> np.ndarray:
    """Put a label above a picture."""
    return np.concatenate([text(label, picture.shape[1]), picture])


def padded(picture: np.ndarray, height: int) -> np.ndarray:
    """Centre a picture in a taller one of the paper's color."""
    above = (height - len(picture)) // 2
    field = np.full((height, *picture.shape[1:]), PAPER, dtype=np.uint8)
    field[above : above + len(picture)] = picture
    return field


def hstack(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Join pictures of one height, left to right, with a gap around each."""
    parts = list(pictures)
    gap = np.full((parts[0].shape[0], GAP, 3), PAPER, dtype=np.uint8)
    return np.concatenate([gap, *(part for picture in parts for part in (picture, gap))], axis=1)


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write a picture (H, W, 3) of uint8 as PNG; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, picture, extension=".png")
