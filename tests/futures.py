"""What a stream of imagination showed."""

from collections.abc import Iterable

import torch
from torch import Tensor

from worldmodel.imagined import Imagined


def frames_of(future: Iterable[Imagined]) -> Tensor:
    """Frames as the model predicted them, not clipped. Shape (B, T, C, H, W)."""
    return torch.stack([step.state["frame"] for step in future], dim=1)
