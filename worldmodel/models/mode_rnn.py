"""ModeRNN: dynamic slots against spatiotemporal mode collapse, with and without actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.errors import InputError, check_at_least
from worldmodel.layers.action import ActionEncoder
from worldmodel.layers.codec import PatchCodec
from worldmodel.layers.mode_cell import ModeCell
from worldmodel.model import ModelConfig, State, WorldModel


@final
@dataclass(frozen=True)
class ModeRNNConfig(ModelConfig):
    """Options of `ModeRNN`; the defaults are the paper's for RoboNet.

    Attributes:
        layers: ModeCells L.
        hidden: Channels d_s of hidden states and slot buses.
        slots: Dynamic slots N; divides 2 d_s.
        gate_kernel: Side of the gates' kernels (the paper leaves it open).
        forget_bias: Added before the sigmoid of the forget gate (the paper leaves it open).
        learned_initial_bus: Start the slot buses from a learned Gaussian (the paper), drawn in
            training and at its mean in evaluation; otherwise from zeros (the authors' code).
        patch: Side of the space-to-depth patches in pixels.
        residual: Predict the change of the frame.
    """

    layers: int = 4
    hidden: int = 64
    slots: int = 4
    gate_kernel: int = 3
    forget_bias: float = 1.0
    learned_initial_bus: bool = True
    patch: int = 4
    residual: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "layers", "hidden", "slots", "gate_kernel", "patch")
        if (2 * self.hidden) % self.slots:
            raise InputError(
                f"slots: {self.slots} does not divide the {2 * self.hidden} channels of [X, H]"
            )

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> ModeRNN:
        """See `ModelConfig.build`."""
        return ModeRNN(frame_shape, action_dim, self)


@final
class ModeRNN(WorldModel):
    """ModeRNN (Yao et al., TPAMI 2023): stacked ModeCells between two 1x1 convolutions on patches.

    Follows the paper's equations where the authors' code differs. The text under equation (1)
    prints the lower layer's state of the previous step as a layer's input; stacking, as in the
    code, takes the lower layer's state of the same step. An action enters every layer through the
    modulation of the action-conditioned PredRNN-V2, on the hidden state.

    The state holds `hidden{l}` and `bus{l}` of every layer l, each of shape (B, hidden, h, w).

    Args:
        frame_shape: (C, H, W) in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: The patch does not divide the frame.
    """

    def __init__(
        self,
        frame_shape: tuple[int, int, int],
        action_dim: int = 0,
        config: ModeRNNConfig = ModeRNNConfig(),
    ) -> None:
        super().__init__()
        self.frame_shape, self.action_dim, self._config = frame_shape, action_dim, config
        self.codec = PatchCodec(
            frame_shape, config.hidden, patch=config.patch, embed=True, residual=config.residual
        )
        self.actions = ActionEncoder(self.codec, action_dim) if action_dim else None
        self.cells = nn.ModuleList(
            ModeCell(
                config.hidden,
                config.hidden,
                slots=config.slots,
                gate_kernel=config.gate_kernel,
                forget_bias=config.forget_bias,
                action_features=self.actions.features if self.actions else None,
            )
            for _ in range(config.layers)
        )
        if config.learned_initial_bus:
            shape = (config.layers, config.hidden)
            self.bus_mean = nn.Parameter(torch.zeros(shape))
            self.bus_log_std = nn.Parameter(torch.full(shape, -2.0))

    @property
    def config(self) -> ModeRNNConfig:
        """See `WorldModel.config`."""
        return self._config

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """See `WorldModel.initial_state`; in training the slot buses are drawn."""
        shape = (batch, self.config.hidden, *self.codec.grid)
        device = self.device if device is None else device
        entries: dict[str, Tensor] = {}
        for layer in range(self.config.layers):
            entries[f"hidden{layer}"] = torch.zeros(shape, device=device, dtype=self.dtype)
            entries[f"bus{layer}"] = self._initial_bus(layer, entries[f"hidden{layer}"])
        return State(entries, batch_size=[batch])

    def _initial_bus(self, layer: int, like: Tensor) -> Tensor:
        if not self.config.learned_initial_bus:
            return torch.zeros_like(like)
        mean = self.bus_mean[layer][:, None, None].expand_as(like)
        if not self.training:
            return mean
        std = self.bus_log_std[layer].exp()[:, None, None]
        return mean + std * torch.randn_like(like)

    def step(self, frame: Tensor, action: Tensor, state: State) -> tuple[Tensor, State]:
        """See `WorldModel.step`."""
        x, skips = self.codec.encode(frame)
        features = self.actions(action) if self.actions else None
        new: dict[str, Tensor] = {}
        for layer, cell in enumerate(self.cells):
            x, bus = cell(x, state[f"hidden{layer}"], state[f"bus{layer}"], features)
            new[f"hidden{layer}"], new[f"bus{layer}"] = x, bus
        return self.codec.decode(x, skips), State(new, batch_size=state.batch_size)

    def latent(self, state: State) -> Tensor:
        """The top layer's slot bus. Shape (B, hidden, h, w)."""
        return state[f"bus{self.config.layers - 1}"]
