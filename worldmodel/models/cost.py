"""What a model costs: parameters, and operations of a forward pass."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from worldmodel.clip import Clip
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.rollout import unroll


def parameter_count(model: WorldModel) -> int:
    """Trainable numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def shape_only(
    config: ModelConfig, frame_shape: tuple[int, int, int], action_dim: int
) -> WorldModel:
    """A model that has shapes but no numbers, in evaluation mode: costs nothing to make or run."""
    with torch.device("meta"):
        return config.build(frame_shape, action_dim).eval()


@torch.no_grad()
def forward_flops(model: WorldModel, length: int, batch: int = 8) -> int:
    """Operations per clip of `length` frames in a batch of `batch`, two per multiply-add.

    Counts convolutions and matrix products, which is nearly all of it. What a batch shares, such
    as the maps of the actions, is divided among its clips.
    """
    with torch.device("meta"):
        clip = Clip(
            frames=torch.zeros(batch, length, *model.frame_shape),
            actions=torch.zeros(batch, length - 1, model.action_dim),
            domain=torch.zeros(batch, dtype=torch.long),
            valid=torch.ones(batch, length, dtype=torch.bool),
            batch_size=[batch],
        )
        with FlopCounterMode(display=False) as counter:
            unroll(model.to("meta"), clip, torch.ones(batch, length - 1))
    return counter.get_total_flops() // batch
