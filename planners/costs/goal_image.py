"""How far an imagined picture is from a goal picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from worldmodel.errors import InputError, check_whole
from worldmodel.frames import as_frames
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import difference
from worldmodel.planners.costs.options import is_listed, is_number, is_whole
from worldmodel.planners.costs.region import Region, check_region, pixels_of


@final
@dataclass(frozen=True)
class GoalImageConfig(CostConfig):
    """Options of `GoalImage`.

    Attributes:
        scales: Sides of the windows in pixels: 1, or even numbers whose half divides the picture.
        crop: Top, left, bottom and right of the part that counts, as shares of the picture in
            [0, 1]; None for all of it.
        changed: Only pixels in which start and goal differ by more than this count, in [0, 1);
            None for all.
        margin: Pixels by which what has changed is grown on all sides.

    Raises:
        InputError: An option is out of range.
    """

    scales: tuple[int, ...] = (4, 16, 32)
    crop: Region | None = None
    changed: float | None = None
    margin: int = 2

    def __post_init__(self) -> None:
        check_scales(self.scales)
        check_whole(0, self, "margin")
        if self.crop is not None:
            check_region(self.crop, "crop")
        changed = self.changed
        if changed is not None and not (is_number(changed) and 0 <= changed < 1):
            raise InputError(f"changed: expected at least 0 and below 1, got {changed!r:.80}")

    def build(self, scene: Scene) -> GoalImage:
        """See `CostConfig.build`."""
        return GoalImage(scene.goal, self.scales, self._mask(scene))

    def _mask(self, scene: Scene) -> Tensor | None:
        masks = []
        if self.crop is not None:
            mask = torch.zeros_like(scene.goal[:, 0], dtype=torch.bool)
            rows, columns = pixels_of(self.crop, mask.shape[1], mask.shape[2], "crop")
            mask[:, rows, columns] = True
            masks.append(mask)
        if self.changed is not None:
            masks.append(changed_pixels(scene.start, scene.goal, self.changed, self.margin))
        return torch.stack(masks).all(0) if masks else None


def changed_pixels(start: Tensor, goal: Tensor, threshold: float, margin: int) -> Tensor:
    """Where two pictures differ in any channel, and the pixels around. Shape (E, H, W), Booleans.

    Args:
        start: Values in [0, 1]. Shape (E, C, H, W).
        goal: Likewise.
        threshold: A larger difference counts.
        margin: Pixels by which what has changed is grown on all sides.
    """
    changed = ((start - goal.to(start)).abs() > threshold).any(1, keepdim=True).float()
    return max_pool2d(changed, 2 * margin + 1, stride=1, padding=margin)[:, 0] > 0


@final
class GoalImage(Cost):
    """Squared difference to a goal image, of pixels summed over windows of several sizes.

    At scale s the difference is summed over s x s windows, half a window apart, then squared.
    Something small that is out of place by more than s pixels costs about the same at every scale
    up to s, and less at larger ones: these point the way where a hand and its place in the goal do
    not overlap. Scale 1 is the summed squared error. The scales are added.

    Args:
        goal: Values in [0, 1], shape (E, C, H, W); or a picture, uint8 (H, W, C).
        scales: Sides s in pixels: 1, or even numbers whose half divides H and W.
        mask: Which pixels count, or a factor of at least 0 for the difference of each, before it
            is summed. Shape (H, W) or (E, H, W). All count the same if left out.

    Raises:
        InputError: The goal is no picture, a scale does not fit it, or there is no scale; the mask
            does not fit it or keeps nothing.
    """

    def __init__(
        self,
        goal: Tensor | np.ndarray,
        scales: tuple[int, ...] = (4, 16, 32),
        mask: Tensor | None = None,
    ) -> None:
        check_scales(scales)
        self._goal, self._scales = as_frames(goal), scales
        height, width = self._goal.shape[-2:]
        if not all(_fits(s, height, width) for s in scales):
            raise InputError(
                f"scales: expected 1 or even numbers whose half divides {height} x {width} pixels, "
                f"got {scales}"
            )
        self._mask = None if mask is None else _checked(mask, self._goal)

    def __call__(self, imagined: Imagined) -> Tensor:
        """Difference to the goal, added over the scales; see `Cost.__call__`.

        Raises:
            InputError: The frame has another shape than the goal, or the batch is no multiple of E.
        """
        frame = imagined.frame
        away = difference(frame, self._goal, "frame", "goal")
        if self._mask is not None:
            mask = self._mask.to(away.device)
            away = (away.unflatten(0, (len(self._goal), -1)) * mask).flatten(0, 1)
        total = frame.new_zeros(len(frame))
        for scale in self._scales:
            total = total + _summed(away, scale).square().sum((1, 2, 3))
        return total


def check_scales(scales: Any) -> None:
    """Refuse what is no list of whole numbers, or an empty one.

    Raises:
        InputError: Says what it is.
    """
    if not is_listed(scales) or not scales or not all(map(is_whole, scales)):
        raise InputError(
            f"scales: expected a list of sides of windows in pixels, got {scales!r:.80}"
        )


def _checked(mask: Tensor, goal: Tensor) -> Tensor:
    """The mask as factors of shape (E or 1, 1, 1, H, W)."""
    height, width = goal.shape[-2:]
    if mask.shape not in ((height, width), (len(goal), height, width)):
        raise InputError(
            f"mask: expected shape (H, W) = {(height, width)} or (E, H, W) with E = {len(goal)} "
            f"like the goal, got {tuple(mask.shape)}"
        )
    factors = mask.to(goal).reshape(-1, 1, 1, height, width)
    if not (factors.isfinite() & (factors >= 0)).all():
        raise InputError("mask: expected finite factors of at least 0")
    if not factors.flatten(1).any(1).all():
        raise InputError(
            "mask: expected one that keeps pixels in every environment, got one that keeps nothing"
        )
    return factors


def _fits(scale: int, height: int, width: int) -> bool:
    half, odd = divmod(scale, 2)
    return scale == 1 or (half > 0 and odd == height % half == width % half == 0)


def _windows(side: int, scale: int) -> Tensor:
    """Which pixels of a side lie in each window, half a window apart. Shape (windows, side)."""
    half = scale // 2
    blocks = torch.arange(side) // half
    windows = torch.arange(side // half + 1)[:, None]
    return ((blocks == windows) | (blocks == windows - 1)).float()


def _summed(image: Tensor, scale: int) -> Tensor:
    """Sums over overlapping windows, halved: every pixel lies in four, whose squares are added."""
    if scale == 1:
        return image
    rows, columns = (_windows(side, scale).to(image) for side in image.shape[2:])
    return 0.5 * (rows @ image @ columns.T)
