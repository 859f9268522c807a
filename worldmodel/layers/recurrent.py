"""One layer of a recurrent stack: its own state, and what flows between layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures

Shape = tuple[int, ...]


class LayerOutput(NamedTuple):
    """What a layer computes in one step.

    Attributes:
        output: Input of the layer above. Shape (B, features, h, w).
        own: The layer's new state, by name.
        flow: What it changes in the flow between layers, by name.
        gate: Output gate of a gated layer, in (0, 1), shaped as output.
        increments: What its two memories gained, each of shape (B, hidden, h, w), if it has two.
    """

    output: Tensor
    own: dict[str, Tensor]
    flow: dict[str, Tensor]
    gate: Tensor | None = None
    increments: tuple[Tensor, Tensor] | None = None


class RecurrentLayer(nn.Module, ABC):
    """A layer that keeps its own state and passes a flow on, upwards within a step.

    Attributes:
        own: Shape of each entry of its state, by name, without the batch. Every layer has "hidden":
            its output, or what it normalises into its output.
        flow: Shape of each entry of the flow that it reads, by name, without the batch. What the
            bottom layer reads is kept for it until the next step; the rest of the flow ends with
            the step.
        gated: Its output is gate . tanh(...), and `LayerOutput.gate` is that gate.
    """

    gated: ClassVar[bool] = False
    own: Mapping[str, Shape]
    flow: Mapping[str, Shape]

    def initial(
        self, batch: int, device: torch.device | str, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """Its state before the first frame; zeros unless overridden."""
        return zeros(self.own, batch, device, dtype)

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        own: Mapping[str, Tensor],
        flow: Mapping[str, Tensor],
        action: ActionFeatures | None,
    ) -> LayerOutput:
        """One step from the input (B, inputs, h, w), its own state and the flow."""


def zeros(
    shapes: Mapping[str, Shape], batch: int, device: torch.device | str, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Zeros of these shapes under a batch dimension, along which they share their memory."""
    return {
        name: torch.zeros((1, *shape), device=device, dtype=dtype).expand(batch, *shape)
        for name, shape in shapes.items()
    }
