"""What the bytes of a picture measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np


@dataclass(frozen=True)
class Scale(ABC):
    """From pixels to a physical quantity.

    Attributes:
        quantity: What is measured, such as "reflectivity".
        unit: Such as "dBZ".
    """

    quantity: str
    unit: str

    @abstractmethod
    def physical(self, pixels: np.ndarray) -> np.ndarray:
        """Values of pixels: bytes, or floating point in [0, 1] for 0 to 255.

        Returns:
            float64 of the same shape, in `unit`.
        """


@final
@dataclass(frozen=True)
class LinearScale(Scale):
    """`offset + gain * byte`.

    Attributes:
        gain: Per byte.
        offset: Value of byte 0.
    """

    gain: float
    offset: float

    def physical(self, pixels: np.ndarray) -> np.ndarray:
        """Values of pixels."""
        return self.offset + self.gain * as_bytes(pixels)

    def pixels(self, values: np.ndarray) -> np.ndarray:
        """The nearest bytes, uint8; what lies outside is clipped."""
        return np.clip(np.rint((values - self.offset) / self.gain), 0, 255).astype(np.uint8)


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Pixels, bytes or in [0, 1], as float64 from 0 to 255."""
    scale = 1.0 if pixels.dtype == np.uint8 else 255.0
    return pixels.astype(np.float64) * scale
