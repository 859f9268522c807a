"""What generators of moving digits share."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

import numpy as np

from worldmodel.data.generators.bouncing import flight
from worldmodel.data.generators.digits import load_digits
from worldmodel.data.generators.generator import Generator
from worldmodel.errors import InputError, check_at_least


@dataclass(frozen=True, kw_only=True)
class DigitGenerator(Generator, ABC):
    """Moving digits.

    Attributes:
        digits: Folder of MNIST's IDX files, of which each part has its own, or one such file, of
            which all digits are taken; scikit-learn's small digits, enlarged, if left out.
        digit_size: Side of a digit in pixels; less than the sides of a frame.
    """

    digits: str | None = None
    digit_size: int = 28

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "digit_size")
        check_at_least(self.digit_size + 1, self, "height", "width")

    def draw_digits(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Different digits, uint8 (count, d, d).

        Raises:
            InputError: There are not as many, or the digits cannot be loaded.
        """
        known = load_digits(self.digits, self.part, self.digit_size)
        if len(known) < count:
            raise InputError(f"{self.digits}: expected {count} digits or more, got {len(known)}")
        return known[random.choice(len(known), count, replace=False)]

    def draw_flight(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Upper left corners of flying digits, int (T, count, 2)."""
        free = np.array([self.height - self.digit_size, self.width - self.digit_size])
        return flight(random, count, self.length, free)


def paste(canvas: np.ndarray, digit: np.ndarray, corners: np.ndarray) -> None:
    """Draw a digit into every frame; the brighter pixel shows.

    Args:
        canvas: Frames, uint8 (T, H, W).
        digit: uint8 (d, d).
        corners: Row and column of its upper left pixel, int (T, 2).
    """
    side = len(digit)
    for frame, (row, column) in zip(canvas, corners.tolist(), strict=True):
        box = frame[row : row + side, column : column + side]
        np.maximum(box, digit, out=box)
