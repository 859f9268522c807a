"""How files of radar pictures hold numbers for a quantity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from worldmodel.data.formats.radar.rain import LIQUID, REFLECTIVITY, Scale, reflectivity
from worldmodel.errors import InputError


@final
@dataclass(frozen=True)
class Packing:
    """`offset + gain * number`, in a unit.

    Attributes:
        unit: "dBZ" of reflectivity, "mm" of rain, or "kg/m2" of liquid.
        gain: Per number.
        offset: Of number 0.
        missing: Numbers that say that nothing was measured.
        dry: Numbers that say that there was no echo.
        hours: In which rain was collected; 1 where it is a rate.
        bytewise: Whether numbers are bytes.

    Raises:
        InputError: A parameter is not finite, or the time is not positive.
    """

    unit: Literal["dBZ", "mm", "kg/m2"]
    gain: float
    offset: float
    missing: tuple[float, ...]
    dry: tuple[float, ...] = ()
    hours: float = 1.0
    bytewise: bool = False

    def __post_init__(self) -> None:
        if not (np.isfinite([self.gain, self.offset]).all() and self.gain > 0):
            raise InputError(
                f"expected a finite offset and a gain above 0, got {self.offset} and {self.gain}"
            )
        if not self.hours > 0:
            raise InputError(f"expected rain of more than 0 hours, got {self.hours}")

    @property
    def scale(self) -> Scale:
        """What bytes should stand for: the same as recorded, if bytes of other than rain were."""
        usual = LIQUID if self.unit == "kg/m2" else REFLECTIVITY
        if not self.bytewise or self.unit == "mm":
            return usual
        return Scale(usual.quantity, self.gain, self.offset)

    def pixels(self, numbers: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
        """Numbers as bytes of a scale for the same quantity.

        Args:
            numbers: Of any type. Shape (H, W).
            scale: Of some file's packing.

        Returns:
            Bytes, uint8 (H, W), 0 where nothing was measured or no echo; and whether it was not
            measured, bool (H, W).
        """
        if numbers.dtype in (np.uint8, np.uint16):
            pixels, missing = self._converted(np.arange(np.iinfo(numbers.dtype).max + 1), scale)
            return pixels[numbers], missing[numbers]
        return self._converted(numbers, scale)

    def _converted(self, numbers: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
        missing = np.isin(numbers, self.missing) | ~np.isfinite(numbers)
        with np.errstate(over="ignore", invalid="ignore"):
            values = self.offset + self.gain * numbers.astype(np.float64)
        if self.unit == "mm":
            values = reflectivity(values / self.hours)
        values[missing | np.isin(numbers, self.dry)] = scale.offset
        return scale.pixels(values), missing
