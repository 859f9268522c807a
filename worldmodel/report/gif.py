"""Videos as looping GIFs: small enough for a page, shown by every browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from worldmodel.errors import InputError
from worldmodel.report.picture import hstack, labelled, magnified


def write_gif(path: Path, frames: np.ndarray, fps: float = 5.0, scale: int = 4) -> None:
    """Write a GIF that loops forever.

    Args:
        path: Where to write; missing folders are made.
        frames: RGB pixels, uint8. Shape (T, H, W, 3).
        fps: Frames per second; GIF rounds a frame's time to 10 ms.
        scale: Whole-number magnification, without smoothing.

    Raises:
        InputError: `frames` is no uint8 RGB video.
    """
    check_video(frames)
    # One palette for the whole video keeps colours from flickering between frames.
    mosaic = Image.fromarray(frames.reshape(-1, *frames.shape[2:]))
    palette = mosaic.quantize(method=Image.Quantize.FASTOCTREE)
    pictures = [
        Image.fromarray(magnified(frame, scale)).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0
    )


def beside(*videos: np.ndarray, labels: Sequence[str], scale: int = 4) -> np.ndarray:
    """Set videos side by side under their labels; one that ends early holds its last frame.

    Args:
        videos: RGB pixels, uint8, all of one height. Shapes (T, H, W, 3); a still picture is a
            video of one frame.
        labels: One per video.
        scale: Whole-number magnification, without smoothing.

    Returns:
        One video for `write_gif(..., scale=1)`. Shape (max T, H', W', 3), uint8.

    Raises:
        InputError: A video is no uint8 RGB video, or labels and videos differ in number.
    """
    if len(labels) != len(videos):
        raise InputError(f"beside: expected one label per video, got {list(labels)}")
    for video in videos:
        check_video(video)
    length = max(len(video) for video in videos)
    return np.stack(
        [
            hstack(
                labelled(magnified(video[min(t, len(video) - 1)], scale), label)
                for video, label in zip(videos, labels, strict=True)
            )
            for t in range(length)
        ]
    )


def check_video(frames: np.ndarray) -> None:
    """Refuse what is not a uint8 RGB video.

    Raises:
        InputError: Names the expected and the given type and shape.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise InputError(
            f"video: expected uint8 pixels of shape (T, H, W, 3), got {frames.dtype} {frames.shape}"
        )
