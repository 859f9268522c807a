"""What models share whose state is a set of vectors without a grid."""

from __future__ import annotations

from abc import ABC
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionEncoder
from worldmodel.layers.kept_noise import KeptNoise
from worldmodel.model import ModelConfig, State, WorldModel

Options = TypeVar("Options", bound=ModelConfig)


class VectorRNN(WorldModel[Options], ABC, Generic[Options]):
    """A frame encoder, a recurrent cell over K vectors, a frame decoder.

    The state holds `hidden`, the K vectors, of shape (B, K, D). They start from standard normal
    noise as in the code of the thesis (its text starts from zeros): drawn for every sample in
    training, one kept draw in evaluation.

    Args:
        frame_shape: (C, H, W) in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.
        encoder: Frames (B, C, H, W) to vectors (B, N, F).
        cell: Vectors, states (B, K, D) and action features or None to new states.
        decoder: States to frames.
        vectors: (K, D).
    """

    def __init__(
        self,
        frame_shape: tuple[int, int, int],
        action_dim: int,
        config: Options,
        *,
        encoder: nn.Module,
        cell: nn.Module,
        decoder: nn.Module,
        vectors: tuple[int, int],
    ) -> None:
        super().__init__(frame_shape, action_dim, config)
        self.action_encoder = ActionEncoder(None, action_dim) if action_dim else None
        self.encoder, self.cell, self.decoder = encoder, cell, decoder
        self.noise = KeptNoise(*vectors)

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """See `WorldModel.initial_state`; in training it is drawn."""
        hidden = self.noise(batch).to(self.device if device is None else device)
        return State({"hidden": hidden}, batch_size=[batch])

    def transition(self, frame: Tensor, action: Any, state: State) -> tuple[Tensor, State]:
        """See `WorldModel.transition`."""
        features = action if self.action_encoder else None
        hidden = self.cell(self.encoder(frame), state["hidden"], features)
        return self.decoder(hidden), State({"hidden": hidden}, batch_size=state.batch_size)

    def latent(self, state: State) -> Tensor:
        """The vectors side by side, as the channels of a single position. Shape (B, K D, 1, 1)."""
        return torch.flatten(state["hidden"], 1)[:, :, None, None]
