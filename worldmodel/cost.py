"""What an architecture costs: parameters, and operations of a forward pass."""

from __future__ import annotations

import torch
from torch._subclasses import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from worldmodel.clip import Clip
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.rollout import unroll

_SHAPES = FakeTensorMode()
"""Under it tensors have shapes, types and devices, but no numbers."""


def parameter_count(model: WorldModel) -> int:
    """Trainable numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def shape_only(
    config: ModelConfig, frame_shape: tuple[int, int, int], action_dim: int
) -> WorldModel:
    """A model in evaluation mode that has shapes but no numbers: it costs nothing to make.

    Raises:
        InputError: The architecture cannot take such frames.
    """
    with _SHAPES:
        return config.build(frame_shape, action_dim).eval()


@torch.no_grad()
def forward_flops(model: WorldModel, length: int, batch: int = 8) -> int:
    """Operations per clip of `length` frames, two per multiply-add, of a `shape_only` model.

    Counts convolutions and matrix products, attention's included, which is nearly all of it. What
    a batch of `batch` clips shares, such as the maps of the actions, is divided among them.
    """
    parts = sdpa_kernel(SDPBackend.MATH)
    with _SHAPES, parts, FlopCounterMode(display=False) as counter:
        clip = Clip(
            frames=torch.zeros(batch, length, *model.frame_shape),
            actions=torch.zeros(batch, length - 1, model.action_dim),
            domain=torch.zeros(batch, dtype=torch.long),
            valid=torch.ones(batch, length, dtype=torch.bool),
            batch_size=[batch],
        )
        unroll(model, clip, torch.ones(batch, length - 1))
    return counter.get_total_flops() // batch
