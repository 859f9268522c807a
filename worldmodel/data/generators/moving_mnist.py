"""Moving MNIST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from worldmodel.data.generators.digit_generator import DigitGenerator, paste
from worldmodel.data.generators.generator import GeneratedClip, counted
from worldmodel.errors import check_at_least


@final
@dataclass(frozen=True, kw_only=True)
class MovingMNIST(DigitGenerator):
    """Digits that fly straight and bounce off the borders (Srivastava et al., ICML 2015).

    The rule is that of the published generator: a tenth of the free way per frame, a digit that
    would pass a border is put there and turns back, corners are cut to whole pixels, and the
    brighter pixel shows where digits overlap. 10,000 clips are as many as PredRNN trains on.

    Attributes:
        per_clip: Digits in a clip; at least 1.
    """

    title: ClassVar[str] = "Moving MNIST"
    channels: ClassVar[int] = 1

    per_clip: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "per_clip")

    def clip(self, index: int) -> GeneratedClip:
        """See `Generator.clip`."""
        random = self.random(index)
        digits = self.draw_digits(random, self.per_clip)
        corners = self.draw_flight(random, self.per_clip)
        frames = np.zeros((self.length, *self.frame_shape), np.uint8)
        for number, digit in enumerate(digits):
            paste(frames[..., 0], digit, corners[:, number])
        return GeneratedClip(frames)

    def domain(self, index: int) -> str:
        """Number of digits."""
        return counted(self.per_clip, "digit")
