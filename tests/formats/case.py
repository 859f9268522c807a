"""What a format must bring along to be tested like all others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from worldmodel.data.reader import Reader


@dataclass(frozen=True)
class Truth:
    """One view as it was written.

    Attributes:
        name: Recording, as the reader should call it.
        camera: As the reader should call it.
        pixels: uint8 (T, H, W, C), of the usable frames.
        actions: (T-1, A).
        states: (T, S).
        missing: (T, H, W), or None.
    """

    name: str
    camera: str
    pixels: np.ndarray
    actions: np.ndarray
    states: np.ndarray
    missing: np.ndarray | None = None


class Damage(NamedTuple):
    """A way in which a data set of this format can be wrong.

    Attributes:
        apply: Damages the folder in place.
        reason: Regular expression, found in the refusal.
        lost: Names of the recordings that cannot be used any more; all others must be unharmed.
        when_read: Whether it may be noticed only when pictures are decoded.
        cameras: Names of those that the recordings lose; empty if they are lost with all.
    """

    apply: Callable[[Path], None]
    reason: str
    lost: tuple[str, ...]
    when_read: bool = False
    cameras: tuple[str, ...] = ()


class FormatCase(ABC):
    """A format under test: a writer of small data sets, as others write them, and its damages.

    Attributes:
        reader: What is tested.
        tolerance: Largest mean absolute difference of decoded pixels, in bytes; 0 for exact.
        raw: Whether numbers lie bare in their files, where other bytes are just other numbers.
    """

    reader: ClassVar[type[Reader]]
    tolerance: ClassVar[float] = 0.0
    raw: ClassVar[bool] = False

    @abstractmethod
    def write(self, folder: Path) -> list[Truth]:
        """Write at least three small recordings into an empty folder; say what is in them."""

    @abstractmethod
    def damages(self) -> Mapping[str, Damage]:
        """What can be wrong in this format, beyond cut, empty and missing files."""


def moving_square(recording: int, length: int, height: int = 24, width: int = 32) -> np.ndarray:
    """RGB frames, uint8 (T, H, W, 3), that differ by recording and by frame and compress well."""
    frames = np.full((length, height, width, 3), 40 + 20 * recording, np.uint8)
    for t in range(length):
        left = (2 * t + 3 * recording) % (width - 8)
        frames[t, 6:14, left : left + 8] = (220, 60 + 8 * t, 90)
    return frames


def walk(recording: int, length: int, width: int, dtype: type = np.float32) -> np.ndarray:
    """Numbers (length, width) that differ by recording, step and column."""
    generator = np.random.default_rng(recording)
    return generator.normal(size=(length, width)).cumsum(axis=0).astype(dtype)
