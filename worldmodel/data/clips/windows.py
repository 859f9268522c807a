"""Windows of fixed length over recordings, resized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from worldmodel.data.clips.actions import strided_actions
from worldmodel.data.clips.blocks import Color, Fit, FrameBlocks
from worldmodel.data.clips.recent import RecentArrays
from worldmodel.data.source import Source
from worldmodel.errors import InputError, check_at_least, check_one_of

CACHE_BYTES = 256 * 2**20
"""Resized frames that each worker keeps; 20,000 of 64x64."""

ACTION_BYTES = 64 * 2**20
"""Actions that each process keeps."""


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class WindowShape:
    """What a window is.

    Attributes:
        length: Number of frames T, at least 2.
        stride: A window takes every `stride`-th frame. Actions between them that are displacements
            are added up, of others the last is taken; see `worldmodel.data.clips.actions`.
        image_size: Height and width of the frames, in pixels; or a list of the two.
        fit: How a picture gets that shape: "squash" keeps all of it and changes its aspect ratio,
            "crop" keeps the aspect ratio and the centre.
        color: "rgb" or "gray"; "recorded" leaves it as it is.

    Raises:
        InputError: A number is too small.
    """

    length: int = 12
    stride: int = 1
    image_size: int | tuple[int, int] = 64
    fit: Fit = "squash"
    color: Color = "recorded"

    def __post_init__(self) -> None:
        check_at_least(2, self, "length")
        check_at_least(1, self, "stride")
        check_one_of(self, "fit", Fit)
        check_one_of(self, "color", Color)
        if min(self.size) < 1:
            raise InputError(f"image_size: expected at least 1, got {self.image_size}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames, in pixels."""
        size = self.image_size
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    @property
    def span(self) -> int:
        """Number of recorded frames from a window's first to its last."""
        return (self.length - 1) * self.stride + 1


class Span(NamedTuple):
    """Some frames of a view.

    Attributes:
        view: Its index in the source.
        start: First frame.
        stop: Frame to end before.
    """

    view: int
    start: int
    stop: int


class Window(NamedTuple):
    """One sample, or a batch of them with a leading B.

    Attributes:
        frames: Pixels, uint8. Shape (T, C, H, W).
        actions: Action t takes frame t to frame t+1, float32. Shape (T-1, A).
        domain: Place of the recording's domain in `Source.domains`.
        missing: True where nothing was measured. Shape (T, 1, H, W); (0,) if everything was.
    """

    frames: Tensor
    actions: Tensor
    domain: Tensor
    missing: Tensor


@final
class Windows(Dataset[Window]):
    """All windows of some stretches of recordings; what is shorter than a window's span has none.

    Args:
        source: The recordings.
        shape: Length, stride and size of a window.
        spans: Which frames to use; all of the source if left out.
        hop: Recorded frames between the starts of neighbouring windows; `shape.span` makes
            windows that share no frame.
        cache_bytes: Resized frames to keep in memory, per process.
        disk_bytes: Resized frames to keep on disk, for all processes and data sets.

    Attributes:
        channels: C of the frames.
        sizes: Number of windows of each data set that the source is made of, in order.

    Raises:
        InputError: No stretch is long enough, or the pictures have different channels.
    """

    def __init__(
        self,
        source: Source,
        shape: WindowShape,
        spans: Sequence[Span] | None = None,
        hop: int = 1,
        cache_bytes: int = CACHE_BYTES,
        disk_bytes: int = 0,
    ) -> None:
        self._source, self._shape, self._hop = source, shape, hop
        spans = whole(source) if spans is None else spans
        self._views = np.array([span.view for span in spans], np.int64)
        self._starts = np.array([span.start for span in spans], np.int64)
        lengths = np.array([span.stop - span.start for span in spans], np.int64)
        counts = np.maximum(0, (lengths - shape.span) // hop + 1)
        self._ends = np.cumsum(counts)
        if counts.sum() == 0:
            raise InputError(
                f"expected recordings of at least {shape.span} frames ({shape.length} frames at a "
                f"stride of {shape.stride}), got {len(lengths)}, the longest of "
                f"{max(lengths, default=0)} frames"
            )
        cameras = [len(recording.cameras) for recording in source.recordings]
        sets = np.repeat(np.repeat(np.arange(len(source.sets)), source.sets), cameras)[self._views]
        self.sizes = tuple(
            int(size) for size in np.bincount(sets, counts, minlength=len(source.sets))
        )
        self.channels = _channels(source, shape.color)
        self._blocks = FrameBlocks(
            source, shape.size, shape.fit, shape.color, cache_bytes, disk_bytes
        )
        self._actions = RecentArrays(ACTION_BYTES)
        self._domains = {name: label for label, name in enumerate(source.domains)}

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Window:
        """A window.

        Raises:
            InputError: The recording is damaged; names file and recording.
        """
        view, start = self._place(index)
        shape = self._shape
        pixels = self._blocks.frames(view, range(start, start + shape.span))[:: shape.stride]
        frames = torch.from_numpy(pixels[:, : self.channels].copy())
        hidden = pixels[:, self.channels :]
        recording = self._source.views[view].recording
        actions = self._actions_of(view)[start : start + shape.span - 1]
        return Window(
            frames,
            torch.from_numpy(strided_actions(actions, recording.action_names, shape.stride)),
            torch.tensor(self._domains[recording.domain]),
            torch.from_numpy(hidden > 0) if hidden.shape[1] else torch.zeros(0, dtype=torch.bool),
        )

    def _place(self, index: int) -> tuple[int, int]:
        """View and first frame of a window."""
        place = int(np.searchsorted(self._ends, index, side="right"))
        before = self._ends[place - 1] if place else 0
        start = self._starts[place] + (index - before) * self._hop
        return int(self._views[place]), int(start)

    def _actions_of(self, view: int) -> np.ndarray:
        """Actions (T-1, A) beside the frames of a view."""
        actions = self._actions.get(view)
        if actions is None:
            actions = self._source.actions(view)
            self._actions.put(view, actions)
        return actions


def whole(source: Source) -> list[Span]:
    """All frames of all views."""
    return [Span(index, 0, view.camera.length) for index, view in enumerate(source.views)]


def _channels(source: Source, color: Color) -> int:
    if color != "recorded":
        return 3 if color == "rgb" else 1
    found = {view.camera.channels for view in source.views}
    if len(found) > 1:
        raise InputError("expected pictures all in color or all gray, got both; choose a color")
    return found.pop()
