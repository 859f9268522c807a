"""Rain and reflectivity, and what byte stands for which.

Reflectivity Z [mm6/m3] and rain R [mm/h] follow Marshall and Palmer, Z = 200 R^1.6; dBZ is
10 log10(Z). Bytes are those of HKO-7, dBZ = 70 byte/255 - 10, which hold 0.009 to 205 mm/h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from worldmodel.data.reader import Quantity


@final
@dataclass(frozen=True)
class Scale:
    """What bytes stand for: `offset + gain * byte`.

    Attributes:
        quantity: What is measured.
        gain: Per byte.
        offset: Value of byte 0.
    """

    quantity: Quantity
    gain: float
    offset: float

    def pixels(self, values: np.ndarray) -> np.ndarray:
        """The nearest bytes, uint8; what lies outside is clipped."""
        return np.clip(np.rint((values - self.offset) / self.gain), 0, 255).astype(np.uint8)


REFLECTIVITY = Scale(Quantity("reflectivity", "dBZ"), gain=70 / 255, offset=-10.0)
"""Of pictures that were not recorded as bytes of reflectivity."""

LIQUID = Scale(Quantity("vertically integrated liquid", "kg/m2"), gain=80 / 255, offset=0.0)
"""Of pictures that were not recorded as bytes of liquid."""

_FACTOR, _EXPONENT = 200.0, 1.6


def reflectivity(rate: np.ndarray) -> np.ndarray:
    """Rain in mm/h as dBZ; minus infinity where there is none."""
    with np.errstate(divide="ignore"):
        return 10 * math.log10(_FACTOR) + 10 * _EXPONENT * np.log10(np.maximum(rate, 0.0))


def rain_pixels(rate: np.ndarray) -> np.ndarray:
    """Rain in mm/h as bytes of `REFLECTIVITY`, uint8; 0 where there is none."""
    return REFLECTIVITY.pixels(reflectivity(rate))
