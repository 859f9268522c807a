"""A goal image in which what rarely moves counts more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import final

import torch
from torch import Tensor

from worldmodel.errors import InputError, check_whole
from worldmodel.planners.cost import CostConfig, Scene
from worldmodel.planners.costs.goal_image import GoalImage, check_scales
from worldmodel.planners.costs.options import is_number
from worldmodel.planners.costs.recorded import listed, recorded_clips


@final
@dataclass(frozen=True)
class BackgroundWeightedConfig(CostConfig):
    """A `GoalImage` whose pixels weigh more the more rarely they move in recordings.

    A large arm that is out of place costs more than a small object that is. Where the arm always
    moves, a pixel weighs little; where nothing moves unless an object was brought there, much. The
    squared difference of a pixel that moves in a share f of the recorded steps weighs
    1 / (f + epsilon), over the mean of that over all pixels.

    Attributes:
        recordings: Folder, file or URL of recordings from the same camera, as `worldmodel train
            --data.path` takes it; or a list of them.
        clips: Pairs of successive frames that are looked at, spread evenly.
        threshold: A pixel moves when a channel changes by more, in [0, 1).
        epsilon: Share of steps below which it makes little difference how rarely a pixel moves.
        scales: See `GoalImage`.

    Raises:
        InputError: An option is out of range.
    """

    recordings: str | list[str]
    clips: int = 500
    threshold: float = 0.03
    epsilon: float = 0.02
    scales: tuple[int, ...] = (4, 16, 32)

    def __post_init__(self) -> None:
        listed(self.recordings)
        check_whole(1, self, "clips")
        check_scales(self.scales)
        threshold, epsilon = self.threshold, self.epsilon
        if not (is_number(threshold) and 0 <= threshold < 1):
            raise InputError(f"threshold: expected at least 0 and below 1, got {threshold!r:.80}")
        if not (is_number(epsilon) and 0 < epsilon < math.inf):
            raise InputError(f"epsilon: expected above 0 and finite, got {epsilon!r:.80}")

    def build(self, scene: Scene) -> GoalImage:
        """See `CostConfig.build`."""
        channels, height, width = scene.goal.shape[1:]
        frequency = motion_frequency(
            self.recordings, (channels, height, width), self.clips, self.threshold
        )
        weights = 1 / (frequency + self.epsilon)
        # The difference is weighted before it is squared.
        return GoalImage(scene.goal, self.scales, mask=(weights / weights.mean()).sqrt())


def motion_frequency(
    recordings: str | list[str],
    frame_shape: tuple[int, int, int],
    clips: int = 500,
    threshold: float = 0.03,
) -> Tensor:
    """In which share of the recorded steps each pixel moves; found out once per process.

    Args:
        recordings: See `BackgroundWeightedConfig`.
        frame_shape: (C, H, W) that the frames are brought to.
        clips: Pairs of successive frames that are looked at, spread evenly.
        threshold: A pixel moves when a channel changes by more.

    Returns:
        Shares in [0, 1]. Shape (H, W).

    Raises:
        InputError: The recordings are missing or damaged.
    """
    return _frequency(listed(recordings), frame_shape, clips, threshold).clone()


@cache
def _frequency(
    recordings: tuple[str, ...], frame_shape: tuple[int, int, int], clips: int, threshold: float
) -> Tensor:
    moved, steps = torch.zeros(frame_shape[1:]), 0
    for clip in recorded_clips(recordings, frame_shape, length=2, clips=clips):
        change = (clip.frames[:, 1] - clip.frames[:, 0]).abs().amax(1)
        moved += (change > threshold).sum(0)
        steps += len(change)
    if not steps:
        raise InputError(f"recordings: expected undamaged frames in {', '.join(recordings)}")
    return moved / steps
