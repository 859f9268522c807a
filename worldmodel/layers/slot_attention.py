"""Slot attention: the features of a frame compete for a few slots."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.competition import competition
from worldmodel.layers.kept_noise import KeptNoise
from worldmodel.layers.sample_norm import SampleNorm


@final
class SlotAttention(nn.Module):
    """Slot attention (Locatello et al., NeurIPS 2020) as in the code of the thesis.

    The slots start from one learned Gaussian that they share, at every frame anew. Normalisations
    go over all slots, or all features, of a sample at once and have no learned scale; the
    normalised slots, not the slots, are the hidden state of the GRU that updates them.

    Args:
        inputs: Width F of a feature.
        slots: Number S of slots; at least 2, since a single one has nothing to compete with.
        width: Width D of a slot.
        iterations: Rounds of attention.
        mlp: Width of the hidden layer of the residual network after each round.
    """

    def __init__(
        self, inputs: int, *, slots: int, width: int, iterations: int = 3, mlp: int = 128
    ) -> None:
        super().__init__()
        self.width, self.iterations = width, iterations
        self.noise = KeptNoise(slots, width)
        self.mean = nn.Parameter(torch.randn(width))
        self.log_std = nn.Parameter(torch.randn(width))
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(inputs, width, bias=False)
        self.value = nn.Linear(inputs, width, bias=False)
        self.gru = nn.GRUCell(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp), nn.ReLU(), nn.Linear(mlp, width))
        self.norm = SampleNorm()

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, N, F) of a frame to its slots (B, S, D)."""
        return self.refine(features, self.noise(features.shape[0]))

    def refine(self, features: Tensor, noise: Tensor) -> Tensor:
        """Slots that start from standard normal noise (B, S, D)."""
        features = self.norm(features)
        keys, values = self.key(features), self.value(features)
        slots = self.mean + self.log_std.exp() * noise
        for _ in range(self.iterations):
            slots = self.norm(slots)
            weights = self._weights(slots, keys)
            updates = weights @ values
            slots = self.gru(updates.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
            slots = slots + self.mlp(self.norm(slots))
        return slots

    def _weights(self, slots: Tensor, keys: Tensor) -> Tensor:
        """Where each slot looks: sums to one over the features. Shape (B, S, N)."""
        scores = self.query(slots) @ keys.transpose(1, 2) * self.width**-0.5
        return competition(scores)
