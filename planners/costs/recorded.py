"""Clips of recordings, for costs that are fitted to what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worldmodel.data.clips.config import DataConfig, open_data
from worldmodel.data.clips.loading import ClipLoader, validation_loader
from worldmodel.data.clips.windows import Windows, WindowShape
from worldmodel.errors import InputError
from worldmodel.planners.costs.options import is_listed

_BATCH = 16


def recorded_clips(
    recordings: Sequence[str], frame_shape: tuple[int, int, int], length: int, clips: int
) -> ClipLoader:
    """Clips spread evenly over recordings, the same ones every time, in batches.

    Args:
        recordings: Folders, files or URLs, as `worldmodel train --data.path` takes them.
        frame_shape: (C, H, W) that the frames are brought to.
        length: Frames T of a clip.
        clips: How many, at most.

    Raises:
        InputError: They are missing or damaged, or none has that many frames.
    """
    channels, *size = frame_shape
    window = WindowShape(
        length, image_size=(size[0], size[1]), color="gray" if channels == 1 else "rgb"
    )
    data = DataConfig(path=list(recordings), window=window, context=1)
    windows = Windows(open_data(data), window)
    return validation_loader(windows, _BATCH, most=clips)


def listed(recordings: str | list[str]) -> tuple[str, ...]:
    """One path, or several, as several.

    Raises:
        InputError: There is none, or it is empty or no text.
    """
    several: Any = recordings if is_listed(recordings) else [recordings]
    if not several or not all(isinstance(one, str) and one for one in several):
        raise InputError(
            "recordings: expected a folder, file or URL of recordings, or a list of them, "
            f"got {recordings!r:.80}"
        )
    return tuple(several)
