"""What an architecture costs: parameters, and operations of a forward pass."""

from __future__ import annotations

import torch
from torch._subclasses import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from worldmodel.model import ModelConfig, State, WorldModel

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
    a batch of `batch` clips shares, such as the maps of the actions, is divided among them; their
    first state counts as if it were not shared. From
    the second on, a step whose state has the shape of the one before costs the same, and is not
    computed again.
    """
    steps = length - 1
    with _SHAPES, sdpa_kernel(SDPBackend.MATH):
        frame = torch.zeros(batch, *model.frame_shape)
        state, before = model.initial_state(batch).clone(), None
        with FlopCounterMode(display=False) as counter:
            actions = model.encode_actions(torch.zeros(batch, steps, model.action_dim))
            _, state, _ = model.training_transition(frame, actions[0], state, frame)
        total, flops = counter.get_total_flops(), 0
        for action in actions[1:]:
            if _shapes(state) != before:
                before = _shapes(state)
                with FlopCounterMode(display=False) as counter:
                    _, state, _ = model.training_transition(frame, action, state, frame)
                flops = counter.get_total_flops()
            total += flops
    return total // batch


def _shapes(state: State) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}
