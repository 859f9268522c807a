"""Points that fly straight and bounce."""

from __future__ import annotations

import numpy as np

STEP = 0.1
"""What a digit of Moving MNIST flies in a frame, as a part of its free way along each axis."""


def bouncing(
    position: np.ndarray,
    velocity: np.ndarray,
    length: int,
    low: float | np.ndarray,
    high: float | np.ndarray,
) -> np.ndarray:
    """Where points are that stop at the walls and turn back, as Moving MNIST's digits do.

    Each frame adds the velocity; where that reaches a wall, the point stays there for the frame,
    and its velocity across that wall changes sign (Srivastava et al., 2015).

    Args:
        position: Before the first frame. Shape (K, D).
        velocity: Per frame. Shape (K, D).
        length: Frames T.
        low: Walls, broadcast to (K, D).
        high: Opposite walls, broadcast to (K, D).

    Returns:
        Shape (T, K, D).
    """
    path = []
    for _ in range(length):
        moved = position + velocity
        velocity = np.where((moved <= low) | (moved >= high), -velocity, velocity)
        position = np.clip(moved, low, high)
        path.append(position)
    return np.array(path)


def directions(random: np.random.Generator, count: int) -> np.ndarray:
    """Unit vectors of any direction. Shape (count, 2)."""
    angle = random.uniform(0, 2 * np.pi, count)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def flight(random: np.random.Generator, count: int, length: int, free: np.ndarray) -> np.ndarray:
    """Upper left corners of Moving MNIST's digits.

    Args:
        random: Source of the draws: the places before the first frame, then the directions.
        count: Number of digits K.
        length: Frames T.
        free: Pixels that a corner may move down and to the right. Shape (2,).

    Returns:
        Rows and columns, in whole pixels. Shape (T, K, 2).
    """
    start = random.random((count, 2))
    velocity = STEP * directions(random, count)
    return (free * bouncing(start, velocity, length, 0.0, 1.0)).astype(int)
