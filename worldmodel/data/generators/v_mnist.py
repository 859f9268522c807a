"""Varied Moving MNIST."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from PIL import Image

from worldmodel.data.generators.bouncing import bouncing, directions
from worldmodel.data.generators.digit_generator import DigitGenerator
from worldmodel.data.generators.generator import GeneratedClip, check_span, counted
from worldmodel.errors import InputError, check_at_least

_MOST_GROWTH = 10.0


@final
@dataclass(frozen=True, kw_only=True)
class VMNIST(DigitGenerator):
    """Digits that move, rotate and scale at once, after MotionRNN (Wu et al., CVPR 2021).

    Results are not comparable to published ones: the paper gives no speeds, turns and scales. The
    defaults are the public ones of Moving MNIST++ (Shi et al., NeurIPS 2017), from which its
    clips differ by their faster and larger changes. 100,000 clips are as many as MotionRNN
    trains on.

    Every digit draws its own speed, turn and zoom from the ranges and keeps them. It starts upright
    at its own size, anywhere within the margin, where its centre bounces as in `MovingMNIST`.

    Attributes:
        per_clip: Digits in a clip; at least 1.
        min_speed: Of a digit's centre, in pixels per frame; at least 0.
        max_speed: At most the shorter side of the frame.
        min_turn: Counter-clockwise, in degrees per frame; from -180.
        max_turn: Up to 180.
        min_zoom: Factor per frame of a digit's size; from 0.5.
        max_zoom: Up to 2.
        period: Frames after which a digit that grew shrinks by the same factor, and the other way
            round; at least 1. It may not grow or shrink more than 10-fold in that time.
        margin: Least distance of a digit's centre from the border, in pixels; at least 0, less than
            half of the shorter side of the frame.
    """

    title: ClassVar[str] = "V-MNIST"
    channels: ClassVar[int] = 1

    clips: int = 100_000
    per_clip: int = 2
    min_speed: float = 0.0
    max_speed: float = 3.6
    min_turn: float = -30.0
    max_turn: float = 30.0
    min_zoom: float = 1 / 1.1
    max_zoom: float = 1.1
    period: int = 5
    margin: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "per_clip", "period")
        shorter = min(self.height, self.width)
        check_span(self, "min_speed", "max_speed", 0, shorter)
        check_span(self, "min_turn", "max_turn", -180, 180)
        check_span(self, "min_zoom", "max_zoom", 0.5, 2)
        check_at_least(0, self, "margin")
        if not 2 * self.margin < shorter:
            raise InputError(
                f"VMNIST.margin: expected less than half of {shorter} pixels, got {self.margin}"
            )
        fastest = max(self.max_zoom, 1 / self.min_zoom)
        if self.period * math.log(fastest) > math.log(_MOST_GROWTH):
            raise InputError(
                f"VMNIST.period: expected to scale less than {_MOST_GROWTH:g}-fold, "
                f"got {self.period} frames of up to {fastest:g}"
            )

    def clip(self, index: int) -> GeneratedClip:
        """See `Generator.clip`."""
        random = self.random(index)
        digits = self.draw_digits(random, self.per_clip)
        centres = self._draw_centres(random)
        angles = self._draw_angles(random)
        scales = self._draw_scales(random)
        frames = np.zeros((self.length, self.height, self.width), np.uint8)
        for number, digit in enumerate(digits):
            poses = zip(centres[:, number], angles[:, number], scales[:, number], strict=True)
            for frame, (centre, angle, scale) in zip(frames, poses, strict=True):
                np.maximum(frame, _posed(digit, frame.shape, centre, angle, scale), out=frame)
        return GeneratedClip(frames[..., None])

    def domain(self, index: int) -> str:
        """Number of digits."""
        return counted(self.per_clip, "digit")

    def _draw_centres(self, random: np.random.Generator) -> np.ndarray:
        """Rows and columns, in pixels. Shape (T, K, 2)."""
        size = np.array([self.height, self.width])
        start = random.uniform(self.margin, size - self.margin, (self.per_clip, 2))
        speed = random.uniform(self.min_speed, self.max_speed, (self.per_clip, 1))
        velocity = speed * directions(random, self.per_clip)
        return bouncing(start, velocity, self.length, self.margin, size - self.margin)

    def _draw_angles(self, random: np.random.Generator) -> np.ndarray:
        """Counter-clockwise, in radians. Shape (T, K)."""
        turn = np.radians(random.uniform(self.min_turn, self.max_turn, self.per_clip))
        return np.arange(self.length)[:, None] * turn

    def _draw_scales(self, random: np.random.Generator) -> np.ndarray:
        """Shape (T, K)."""
        zoom = random.uniform(self.min_zoom, self.max_zoom, self.per_clip)
        forth = np.where(np.arange(self.length) // self.period % 2, -1, 1)
        forth[0] = 0
        return zoom ** forth.cumsum()[:, None]


def _posed(
    digit: np.ndarray, shape: tuple[int, ...], centre: np.ndarray, angle: float, scale: float
) -> np.ndarray:
    """A digit in a frame of its own, between its pixels interpolated, uint8 (H, W)."""
    cos, sin, middle = math.cos(angle) / scale, math.sin(angle) / scale, len(digit) / 2
    row, column = centre
    to_digit = (
        *(cos, -sin, middle - cos * column + sin * row),
        *(sin, cos, middle - sin * column - cos * row),
    )
    posed = Image.fromarray(digit).transform(
        (shape[1], shape[0]), Image.Transform.AFFINE, to_digit, Image.Resampling.BILINEAR
    )
    return np.asarray(posed)
