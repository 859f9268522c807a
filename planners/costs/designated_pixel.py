"""How far something in the picture is from where it should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.nn.functional import pad

from worldmodel.errors import InputError, check_odd, check_whole
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import by_environment
from worldmodel.planners.costs.options import is_listed, is_number, is_whole

Pixel = tuple[int, int]
"""Row y and column x, from 0 at the top left."""


@final
@dataclass(frozen=True)
class DesignatedPixelConfig(CostConfig):
    """Options of `DesignatedPixel`.

    Attributes:
        pixel: Row y and column x of what is to be moved, in the picture at the start; or a list of
            them.
        goal: Where it should come to; or as many.
        patch: Side of the square around it that is recognised, in pixels, odd.
        temperature: Summed squared difference of the patches, of values in [0, 1], at which a
            place is e times less likely.
        radius: Pixels from where it was last seen within which it is sought, up and down and to
            both sides: how far it can get within a plan.

    Raises:
        InputError: An option is out of range, or there are not as many goals as pixels.
    """

    pixel: Pixel | list[Pixel]
    goal: Pixel | list[Pixel]
    patch: int = 7
    temperature: float = 0.1
    radius: int = 16

    def __post_init__(self) -> None:
        check_whole(1, self, "patch", "radius")
        check_odd(self, "patch")
        temperature = self.temperature
        if not (is_number(temperature) and 0 < temperature < math.inf):
            raise InputError(f"temperature: expected above 0 and finite, got {temperature!r:.80}")
        _check_as_many(_listed("pixel", self.pixel), _listed("goal", self.goal))

    def build(self, scene: Scene) -> DesignatedPixel:
        """See `CostConfig.build`."""
        return DesignatedPixel(
            scene.start,
            _listed("pixel", self.pixel),
            _listed("goal", self.goal),
            self.patch,
            self.temperature,
            self.radius,
        )


@final
class DesignatedPixel(Cost):
    """Expected distance of designated pixels to their goals, in pixels; several are added.

    After Finn & Levine, "Deep visual foresight for planning robot motion" (ICRA 2017). There the
    model's own flow carries a pixel's probability from frame to frame. The models here predict
    frames and tell no flow, so the pixel is found again in every frame by what surrounds it: the
    patch P around it in the picture at the start is compared with those around all places q within
    a radius of where it was last seen, p(q) is the softmax of -|P_q - P|^2 / temperature, and the
    cost is the sum of p(q) |q - goal|. So it works with whatever makes frames, a simulator too;
    but something that turns, shines or is covered can be lost, and so can one of several alike.

    Args:
        start: What is seen at the start, values in [0, 1]. Shape (E, C, H, W).
        pixels: Row and column of each, in all environments.
        goals: Where each should come to.
        patch: See `DesignatedPixelConfig`.
        temperature: Likewise.
        radius: Likewise.

    Raises:
        InputError: A pixel or a goal lies outside the picture, or there are not as many of both.
    """

    def __init__(
        self,
        start: Tensor,
        pixels: Sequence[Pixel],
        goals: Sequence[Pixel],
        patch: int = 7,
        temperature: float = 0.1,
        radius: int = 16,
    ) -> None:
        pixels, goals = _listed("pixel", pixels), _listed("goal", goals)
        _check_as_many(pixels, goals)
        for option, places in (("pixel", pixels), ("goal", goals)):
            _check_inside(option, places, start.shape[-2], start.shape[-1])
        self._shape = start.shape[1:]
        self._half, self._temperature, self._radius = patch // 2, temperature, radius
        self._pixels, self._goals = pixels, goals
        self._templates = torch.stack(
            [self._patches(start, pixel, 0)[:, 0] for pixel in pixels], dim=1
        )  # (E, P, C, p, p)
        self._places = [list(pixels) for _ in start]

    @property
    def places(self) -> Tensor:
        """Row and column at which each was last seen. Shape (E, P, 2)."""
        return torch.tensor(self._places)

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`.

        Raises:
            InputError: The frame has another shape than the start, or the batch is no multiple of
                E.
        """
        frames = self._checked(imagined.frame)
        return torch.cat([self._distance(index, frame) for index, frame in enumerate(frames)])

    def observe(self, action: Tensor | None, frame: Tensor) -> None:
        """Find every pixel in what is seen; see `Cost.observe`."""
        if action is None:
            self._places = [list(self._pixels) for _ in self._places]
        for index, seen in enumerate(self._checked(frame)):
            for number, place in enumerate(self._places[index]):
                likely = self._probability(index, number, seen)[0]
                row, column = divmod(int(likely.argmax()), 2 * self._radius + 1)
                found = place[0] + row - self._radius, place[1] + column - self._radius
                self._places[index][number] = found

    def _distance(self, environment: int, frames: Tensor) -> Tensor:
        """Of the futures (N, C, H, W) of one environment, added over the pixels. Shape (N,)."""
        total = frames.new_zeros(len(frames))
        places = zip(self._places[environment], self._goals, strict=True)
        for number, (place, goal) in enumerate(places):
            probability = self._probability(environment, number, frames)
            distance = torch.hypot(*self._around(place, goal, frames))
            total = total + (probability * distance.flatten()).sum(1)
        return total

    def _probability(self, environment: int, number: int, frames: Tensor) -> Tensor:
        """Where a pixel is, from the upper left of where it is sought. Shape (N, (2r+1)^2)."""
        place = self._places[environment][number]
        template = self._templates[environment, number].to(frames)
        away = self._patches(frames, place, self._radius) - template
        rows, columns = self._around(place, (0, 0), frames)
        height, width = self._shape[-2:]
        outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
        unlikely = away.square().sum((2, 3, 4)) / self._temperature
        return unlikely.masked_fill(outside.flatten(), torch.inf).neg().softmax(1)

    def _around(self, place: Pixel, origin: Pixel, like: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns of where a pixel is sought, from an origin. Shape (2r+1, 2r+1) each."""
        reach = torch.arange(-self._radius, self._radius + 1, device=like.device, dtype=like.dtype)
        rows, columns = torch.meshgrid(
            reach + (place[0] - origin[0]), reach + (place[1] - origin[1]), indexing="ij"
        )
        return rows, columns

    def _patches(self, frames: Tensor, place: Pixel, radius: int) -> Tensor:
        """Patches around all places within a radius. Shape (N, (2r+1)^2, C, p, p)."""
        edge, side = radius + self._half, 2 * self._half + 1
        padded = pad(frames, (edge,) * 4, mode="replicate")
        window = padded[..., place[0] : place[0] + 2 * edge + 1, place[1] : place[1] + 2 * edge + 1]
        patches = window.unfold(2, side, 1).unfold(3, side, 1)  # (N, C, 2r+1, 2r+1, p, p)
        return patches.flatten(2, 3).movedim(1, 2)

    def _checked(self, frames: Tensor) -> Tensor:
        """Frames (B, C, H, W) as (E, N, C, H, W)."""
        if frames.shape[1:] != self._shape:
            raise InputError(
                f"frame: expected shape {tuple(self._shape)} like the start, "
                f"got {tuple(frames.shape[1:])}"
            )
        return by_environment(frames, len(self._places))


def _listed(option: str, given: Any) -> list[Pixel]:
    """One pixel, or several, as several.

    Raises:
        InputError: There is something else.
    """
    several = [given] if _is_pixel(given) else given
    if not is_listed(several) or not all(map(_is_pixel, several)):
        raise InputError(
            f"{option}: expected a row and a column, or a list of such pairs, in whole pixels, "
            f"got {given!r:.80}"
        )
    return [(row, column) for row, column in several]


def _is_pixel(given: Any) -> bool:
    return is_listed(given) and len(given) == 2 and all(map(is_whole, given))


def _check_as_many(pixels: Sequence[Pixel], goals: Sequence[Pixel]) -> None:
    if not pixels or len(pixels) != len(goals):
        raise InputError(
            f"designated-pixel: expected a goal for each pixel, got {len(pixels)} pixels and "
            f"{len(goals)} goals"
        )


def _check_inside(option: str, places: Sequence[Pixel], height: int, width: int) -> None:
    for row, column in places:
        if not (0 <= row < height and 0 <= column < width):
            raise InputError(
                f"{option}: expected row and column within {height} x {width} pixels, "
                f"got {(row, column)}"
            )
