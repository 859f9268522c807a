"""Films of pictures: looping GIFs, which every browser shows, and MP4s."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from worldmodel.errors import InputError
from worldmodel.report.picture import hstack, labelled, magnified


def write_film(path: Path, frames: np.ndarray, fps: float = 5.0, scale: int = 4) -> None:
    """Write a GIF that loops forever, or an MP4.

    Args:
        path: Where to write, ending in .gif or .mp4; missing folders are made.
        frames: RGB pixels, uint8. Shape (T, H, W, 3).
        fps: Frames per second; GIF rounds a frame's time to 10 ms.
        scale: Whole-number magnification, without smoothing.

    Raises:
        InputError: `frames` is no uint8 RGB video, or the ending is another.
    """
    check_video(frames)
    if path.suffix not in (".gif", ".mp4"):
        raise InputError(f"film: expected a name that ends in .gif or .mp4, got {path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gif":
        shown = magnified(_in_one_palette(frames), scale)
        iio.imwrite(path, shown, duration=round(1000 / fps), loop=0)
    else:
        shown = _even(magnified(frames, scale))
        iio.imwrite(path, shown, plugin="pyav", codec="libx264", fps=fps)


def beside(*videos: np.ndarray, labels: Sequence[str], scale: int = 4) -> np.ndarray:
    """Set videos side by side under their labels; one that ends early holds its last frame.

    Args:
        videos: RGB pixels, uint8, all of one height. Shapes (T, H, W, 3); a still picture is a
            video of one frame.
        labels: One per video.
        scale: Whole-number magnification, without smoothing.

    Returns:
        One video for `write_film(..., scale=1)`. Shape (max T, H', W', 3), uint8.

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


def _in_one_palette(frames: np.ndarray) -> np.ndarray:
    """The frames in 256 colors for the whole film: colors chosen frame by frame would flicker."""
    mosaic = Image.fromarray(frames.reshape(-1, *frames.shape[2:]))
    fewer = mosaic.quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return np.asarray(fewer.convert("RGB")).reshape(frames.shape)


def _even(frames: np.ndarray) -> np.ndarray:
    """The frames with an even height and width, as the codec wants, their last pixels repeated."""
    _, height, width, _ = frames.shape
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
