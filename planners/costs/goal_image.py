"""How far an imagined picture is from a goal picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor
from torch.nn.functional import avg_pool2d

from worldmodel.errors import InputError
from worldmodel.frames import as_frames
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene


@final
@dataclass(frozen=True)
class GoalImageConfig(CostConfig):
    """Options of `GoalImage`.

    Attributes:
        scales: Sides of the windows in pixels: 1, or even numbers whose half divides the picture.
    """

    scales: tuple[int, ...] = (4, 16, 32)

    def build(self, scene: Scene) -> GoalImage:
        """See `CostConfig.build`."""
        return GoalImage(scene.goal, self.scales)


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

    Raises:
        InputError: The goal is no picture, a scale does not fit it, or there is no scale.
    """

    def __init__(self, goal: Tensor | np.ndarray, scales: tuple[int, ...] = (4, 16, 32)) -> None:
        self._goal, self._scales = as_frames(goal), scales
        height, width = self._goal.shape[-2:]
        if not scales or not all(_fits(s, height, width) for s in scales):
            raise InputError(
                f"scales: expected 1 or even numbers whose half divides {height} x {width} pixels, "
                f"got {scales}"
            )

    def __call__(self, imagined: Imagined) -> Tensor:
        """Difference to the goal, added over the scales; see `Cost.__call__`.

        Raises:
            InputError: The frame has another shape than the goal, or the batch is no multiple of E.
        """
        frame = imagined.frame
        goal = self._goal.to(frame.device)
        if frame.shape[1:] != goal.shape[1:] or len(frame) % len(goal):
            raise InputError(
                f"frame: expected (C, H, W) = {tuple(goal.shape[1:])} like the goal, and as many "
                f"futures for each of its {len(goal)} environments, got {tuple(frame.shape)}"
            )
        difference = (frame.unflatten(0, (len(goal), -1)) - goal[:, None]).flatten(0, 1)
        total = frame.new_zeros(len(frame))
        for scale in self._scales:
            total = total + _summed(difference, scale).square().sum((1, 2, 3))
        return total


def _fits(scale: int, height: int, width: int) -> bool:
    half, odd = divmod(scale, 2)
    return scale == 1 or (half > 0 and odd == height % half == width % half == 0)


def _summed(image: Tensor, scale: int) -> Tensor:
    """Sums over overlapping windows, halved: every pixel lies in four, whose squares are added."""
    if scale == 1:
        return image
    stride = scale // 2
    return avg_pool2d(image, scale, stride, padding=stride, divisor_override=2)
