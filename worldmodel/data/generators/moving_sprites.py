"""Moving Sprites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

import numpy as np

from worldmodel.data.generators.bouncing import directions
from worldmodel.data.generators.generator import GeneratedClip, Generator, check_span, counted
from worldmodel.errors import check_at_least

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]

SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "circle": lambda down, right: down**2 + right**2 <= 1,
        "triangle": lambda down, right: (abs(down) <= 1) & (2 * abs(right) <= down + 1),
        "rectangle": lambda down, right: (abs(down) <= 1) & (abs(right) <= 1),
        "diamond": lambda down, right: abs(down) + abs(right) <= 1,
    }
)
"""Whether points belong to an object whose box reaches from -1 to 1, down and to the right."""

COLORS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (255, 0, 0),
        "green": (0, 255, 0),
        "blue": (0, 0, 255),
        "yellow": (255, 255, 0),
        "magenta": (255, 0, 255),
        "cyan": (0, 255, 255),
    }
)

APPEARANCES = 2
"""First frames in which an object may appear."""


@final
@dataclass(frozen=True, kw_only=True)
class MovingSprites(Generator):
    """Colored shapes that fly straight, hide each other and leave the frame.

    From Modular Neural Networks for Video Prediction (M.Sc. thesis, TU Delft, 2022), which has
    12,800 clips: on black, circles, triangles, rectangles or diamonds in red, green, blue, yellow,
    magenta or cyan, that appear within the first two frames and keep their velocity.

    The thesis leaves numbers open. Here, a clip has one object or more, equally often; an object
    appears in either frame, equally often, and as a whole. Sides and speed are those of Sprites-MOT
    (He et al., CVPR 2019), of which the thesis's clips are made: 21 pixels and 5.3 pixels per frame
    in frames twice as wide. Edges are hard: a pixel has the color of the nearest object that holds
    its centre, so that masks and frames tell the same.

    Attributes:
        objects: Most objects K in a clip; at least 1. Masks of those that it lacks are empty.
        min_side: Side of an object's square box, in pixels; at least 2.
        max_side: At most the shorter side of the frame.
        min_speed: In pixels per frame; at least 0.
        max_speed: At most the shorter side of the frame.
    """

    title: ClassVar[str] = "Moving Sprites"
    channels: ClassVar[int] = 3

    clips: int = 12_800
    objects: int = 3
    min_side: float = 10.5
    max_side: float = 21.0
    min_speed: float = 2.65
    max_speed: float = 2.65

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "objects")
        shorter = min(self.height, self.width)
        check_span(self, "min_side", "max_side", 2, shorter)
        check_span(self, "min_speed", "max_speed", 0, shorter)

    def clip(self, index: int) -> GeneratedClip:
        """See `Generator.clip`."""
        random = self.random(index)
        count = self._draw_count(random)
        kinds = random.choice(list(SHAPES), count)
        colors = random.choice(list(COLORS.values()), count)
        frames = np.zeros((self.length, *self.frame_shape), np.uint8)
        masks = np.zeros((self.length, self.objects, self.height, self.width), bool)
        for number, (kind, color) in enumerate(zip(kinds, colors, strict=True)):
            shown = self._draw_object(random, SHAPES[kind])
            masks[:, :number] &= ~shown[:, None]
            masks[:, number] = shown
            frames[shown] = color
        return GeneratedClip(frames, masks)

    def domain(self, index: int) -> str:
        """Number of objects."""
        return counted(self._draw_count(self.random(index)), "object")

    def _draw_count(self, random: np.random.Generator) -> int:
        """A clip's first draw."""
        return int(random.integers(1, self.objects, endpoint=True))

    def _draw_object(self, random: np.random.Generator, shape: Shape) -> np.ndarray:
        """Whether a pixel's centre is on an object. Shape (T, H, W)."""
        radius = random.uniform(self.min_side, self.max_side) / 2
        start = random.uniform(radius, np.array([self.height, self.width]) - radius)
        velocity = random.uniform(self.min_speed, self.max_speed) * directions(random, 1)
        birth = random.integers(APPEARANCES)
        path = start + velocity * (np.arange(self.length) - birth)[:, None]
        down = (np.arange(self.height) + 0.5 - path[:, :1]) / radius
        right = (np.arange(self.width) + 0.5 - path[:, 1:]) / radius
        shown = shape(down[:, :, None], right[:, None])
        shown[:birth] = False
        return shown
