"""Clips of a square that actions move: what a model learns in a few steps."""

from __future__ import annotations

import torch

from worldmodel.clip import Clip

SIDE, SPEED = 0.25, 0.08
"""Of the square, and of an action of 1 per step, as shares of the frame."""


def clips(batch: int, length: int, side: int, action_dim: int, generator: torch.Generator) -> Clip:
    """A white square on black whose centre the first two dimensions of an action move.

    Args:
        batch: Clips B.
        length: Frames T of each.
        side: Height and width of a frame, in pixels.
        action_dim: Width A of an action, at least 2; those beyond do nothing.
        generator: On the CPU.
    """
    actions = torch.rand(batch, length - 1, action_dim, generator=generator) * 2 - 1
    start = 0.3 + 0.4 * torch.rand(batch, 1, 2, generator=generator)
    moved = start + SPEED * actions[:, :, :2].cumsum(1)
    centres = torch.cat((start, moved), dim=1)[..., None, None]
    pixels = (torch.arange(side) + 0.5) / side
    down, right = pixels[:, None], pixels[None, :]
    inside = ((down - centres[:, :, 0]).abs() < SIDE / 2) & (
        (right - centres[:, :, 1]).abs() < SIDE / 2
    )
    return Clip.checked(inside[:, :, None].float().expand(-1, -1, 3, -1, -1), actions)
