"""Moving MNIST: digits that fly straight and bounce off the borders (Srivastava et al., 2015)."""

from __future__ import annotations

import numpy as np

from worldmodel.errors import InputError


def moving_digits(
    digits: np.ndarray,
    clips: int,
    length: int,
    size: int,
    generator: np.random.Generator,
    *,
    per_clip: int = 2,
    speed: float | None = None,
) -> np.ndarray:
    """Draw clips of moving digits.

    A digit starts anywhere in the frame, moves in any direction at a constant speed, and is
    reflected where its box meets a border; where digits overlap, the brighter pixel shows.

    Args:
        digits: Pictures to choose from, uint8. Shape (N, d, d).
        clips: Number of clips B.
        length: Frames T.
        size: Side of a frame in pixels.
        generator: Source of the draws.
        per_clip: Digits in a clip.
        speed: In pixels per frame; None for a tenth of the free way, as published.

    Returns:
        Frames, uint8. Shape (B, T, size, size).

    Raises:
        InputError: The digits are no square pictures of bytes, or do not fit into the frame.
    """
    if digits.dtype != np.uint8 or digits.ndim != 3 or digits.shape[1] != digits.shape[2]:
        raise InputError(f"digits: expected uint8 (N, d, d), got {digits.dtype} {digits.shape}")
    side = digits.shape[1]
    if side >= size:
        raise InputError(f"size: expected more than the digits' {side} pixels, got {size}")
    free = size - side
    corners = _bouncing(clips * per_clip, length, free, speed or 0.1 * free, generator)
    chosen = digits[generator.integers(len(digits), size=clips * per_clip)]
    frames = np.zeros((clips, length, size, size), np.uint8)
    for index, (path, digit) in enumerate(zip(corners, chosen, strict=True)):
        for frame, (row, column) in zip(frames[index // per_clip], path, strict=True):
            box = frame[row : row + side, column : column + side]
            np.maximum(box, digit, out=box)
    return frames


def _bouncing(
    digits: int, length: int, free: int, speed: float, generator: np.random.Generator
) -> np.ndarray:
    """Upper left corners of boxes that may move by `free` pixels. Shape (digits, T, 2)."""
    angle = generator.uniform(0, 2 * np.pi, (digits, 1, 1))
    velocity = speed * np.concatenate((np.sin(angle), np.cos(angle)), axis=2)
    start = generator.uniform(0, free, (digits, 1, 2))
    travelled = (start + velocity * np.arange(length)[None, :, None]) % (2 * free)
    return np.rint(np.minimum(travelled, 2 * free - travelled)).astype(int)
