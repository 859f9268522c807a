"""Windows of fixed length over episodes, resized to a square.

An action whose name starts with `d` (`dx`, `dyaw`) is a delta: over a stride of k frames it is
the sum of k actions. Any other (`gripper`) is absolute: the last of the k actions counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from worldmodel.data.cache import EpisodeCache
from worldmodel.data.episodes import Episode, EpisodeSource
from worldmodel.errors import InputError, check_at_least

CACHE_BYTES = 256 * 2**20
"""Resized frames that each worker keeps; 20,000 of 64x64."""


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class WindowShape:
    """What a window is.

    Attributes:
        length: Number of frames T, at least 2.
        stride: A window takes every `stride`-th frame.
        image_size: Height and width of the frames, in pixels.
        fit: How a picture becomes square: "squash" keeps all of it and changes its aspect ratio,
            "crop" keeps the aspect ratio and the centre.

    Raises:
        InputError: A number is too small.
    """

    length: int = 12
    stride: int = 1
    image_size: int = 64
    fit: Literal["squash", "crop"] = "squash"

    def __post_init__(self) -> None:
        check_at_least(2, self, "length")
        check_at_least(1, self, "stride", "image_size")

    @property
    def span(self) -> int:
        """Number of recorded frames from a window's first to its last."""
        return (self.length - 1) * self.stride + 1


class Window(NamedTuple):
    """One sample, or a batch of them with a leading B.

    Attributes:
        frames: RGB pixels, uint8. Shape (T, 3, H, W).
        actions: Action t takes frame t to frame t+1, float32. Shape (T-1, A).
        domain: Place of the episode's domain in `EpisodeSource.domains`.
    """

    frames: Tensor
    actions: Tensor
    domain: Tensor


@final
class Windows(Dataset[Window]):
    """All windows of some episodes; episodes shorter than a window's span have none.

    Args:
        source: Where the episodes are.
        shape: Length, stride and size of a window.
        episodes: Indices of the episodes to use; all of the source if left out.
        hop: Recorded frames between the starts of neighbouring windows; `shape.span` makes
            windows that share no frame.
        cache_bytes: Resized frames to keep in memory, per process.

    Raises:
        InputError: No episode is long enough.
    """

    def __init__(
        self,
        source: EpisodeSource,
        shape: WindowShape,
        episodes: Sequence[int] | None = None,
        hop: int = 1,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._source, self._shape, self._hop = source, shape, hop
        self._episodes = list(range(len(source)) if episodes is None else episodes)
        self._cache = EpisodeCache(cache_bytes)
        self._domains = source.domains
        lengths = [source.length(index) for index in self._episodes]
        counts = [max(0, (length - shape.span) // hop + 1) for length in lengths]
        self._ends = np.cumsum(counts, dtype=np.int64)
        if sum(counts) == 0:
            raise InputError(
                f"expected episodes of at least {shape.span} frames ({shape.length} frames, every "
                f"{shape.stride}.), got {len(lengths)} episodes, the longest of "
                f"{max(lengths, default=0)} frames"
            )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Window:
        place = int(np.searchsorted(self._ends, index, side="right"))
        before = self._ends[place - 1] if place else 0
        start = int(index - before) * self._hop
        episode = self._cache.get(self._episodes[place], self._read)
        taken = slice(start, start + self._shape.span)
        actions = episode.actions[start : start + self._shape.span - 1]
        actions = strided_actions(actions, episode.action_names, self._shape.stride)
        frames = torch.from_numpy(episode.frames[taken][:: self._shape.stride])
        return Window(
            frames.permute(0, 3, 1, 2).contiguous(),
            torch.from_numpy(actions),
            torch.tensor(self._domains.index(episode.domain)),
        )

    def _read(self, index: int) -> Episode:
        episode = self._source.episode(index)
        frames = resized(episode.frames, self._shape.image_size, self._shape.fit)
        return replace(episode, frames=frames)


def resized(frames: np.ndarray, size: int, fit: Literal["squash", "crop"]) -> np.ndarray:
    """Resize frames, uint8 (T, H, W, C), to (T, size, size, C), without aliasing."""
    if fit == "crop":
        side = min(frames.shape[1:3])
        top, left = ((extent - side) // 2 for extent in frames.shape[1:3])
        frames = frames[:, top : top + side, left : left + side]
    if frames.shape[1:3] == (size, size):
        return frames
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
    small = interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    return small.permute(0, 2, 3, 1).contiguous().numpy()


def strided_actions(actions: np.ndarray, names: Sequence[str], stride: int) -> np.ndarray:
    """Actions (n, A) between every `stride`-th frame: deltas are summed, absolutes taken last.

    Returns:
        Shape (n // stride, A); a remainder is dropped.
    """
    groups = actions[: len(actions) // stride * stride].reshape(-1, stride, len(names))
    delta = np.array([name.startswith("d") for name in names], bool)
    return np.where(delta, groups.sum(axis=1), groups[:, -1])
