"""Diagonal Gaussians that a recurrent network predicts, and how far they lie apart."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures
from worldmodel.layers.lstm import LSTMStack


class Gaussian(NamedTuple):
    """A Gaussian with independent entries, mean and logarithm of the variance both (B, Z)."""

    mean: Tensor
    log_variance: Tensor

    def draw(self, generator: torch.Generator | None) -> Tensor:
        """One draw (B, Z), differentiable in both parameters; torch's own generator if None."""
        noise = torch.randn(
            self.mean.shape,
            generator=generator,
            device=self.mean.device,
            dtype=self.mean.dtype,
        )
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def divergence(self, other: Gaussian) -> Tensor:
        """Kullback-Leibler divergence KL(self || other), in nats. Shape (B,)."""
        log_ratio = self.log_variance - other.log_variance
        distance = (self.mean - other.mean).square() * (-other.log_variance).exp()
        return 0.5 * (log_ratio.exp() - log_ratio + distance - 1).sum(dim=1)


@final
class GaussianLSTM(nn.Module):
    """A Gaussian that depends on all inputs so far.

    Args:
        inputs: Width of the input.
        outputs: Width Z of the Gaussian.
        hidden: Width of the LSTM cells.
        layers: LSTM cells.
        action_features: Channels of the action's features; None for an action-free network.
    """

    def __init__(
        self, inputs: int, outputs: int, hidden: int, layers: int, action_features: int | None
    ) -> None:
        super().__init__()
        self.memory = LSTMStack(inputs, hidden, layers, action_features)
        self.mean = nn.Linear(hidden, outputs)
        self.log_variance = nn.Linear(hidden, outputs)

    def forward(
        self, x: Tensor, state: Tensor, action: ActionFeatures | None
    ) -> tuple[Gaussian, Tensor]:
        """The Gaussian after the input (B, inputs), and the state; see `LSTMStack.forward`."""
        top, state = self.memory(x, state, action)
        return Gaussian(self.mean(top), self.log_variance(top)), state
