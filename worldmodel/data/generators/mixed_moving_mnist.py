"""Mixed Moving MNIST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from worldmodel.data.generators.digit_generator import DigitGenerator, paste
from worldmodel.data.generators.generator import GeneratedClip, counted

COUNTS = (2, 3)
"""Digits that a clip may have."""


@final
@dataclass(frozen=True, kw_only=True)
class MixedMovingMNIST(DigitGenerator):
    """Two or three digits, each red, green or blue, that move as in `MovingMNIST`.

    From ModeRNN (Yao et al., TPAMI 2023), whose training set has 30,000 clips. Where digits
    overlap, the brighter pixel of each color shows.
    """

    title: ClassVar[str] = "Mixed Moving MNIST"
    channels: ClassVar[int] = 3

    clips: int = 30_000

    def clip(self, index: int) -> GeneratedClip:
        """See `Generator.clip`."""
        random = self.random(index)
        count = _draw_count(random)
        digits = self.draw_digits(random, count)
        corners = self.draw_flight(random, count)
        colors = random.integers(self.channels, size=count)
        frames = np.zeros((self.length, *self.frame_shape), np.uint8)
        for number, (digit, color) in enumerate(zip(digits, colors, strict=True)):
            paste(frames[..., color], digit, corners[:, number])
        return GeneratedClip(frames)

    def domain(self, index: int) -> str:
        """Number of digits."""
        return counted(_draw_count(self.random(index)), "digit")


def _draw_count(random: np.random.Generator) -> int:
    """A clip's first draw."""
    return int(random.choice(COUNTS))
