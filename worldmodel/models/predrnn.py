"""PredRNN and PredRNN-V2, with and without actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from worldmodel.errors import check_at_least
from worldmodel.layers.action import ActionEncoder
from worldmodel.layers.codec import FrameCodec, PatchCodec, StridedConvCodec
from worldmodel.layers.st_lstm import STLSTMCell, decoupling
from worldmodel.model import ModelConfig, State, WorldModel


@final
@dataclass(frozen=True)
class PredRNNConfig(ModelConfig):
    """Options of `PredRNN`; the defaults are PredRNN-V2 as published for Moving MNIST, 4 x 64.

    Attributes:
        layers: ST-LSTM layers L.
        hidden: Channels of every layer.
        kernel: Side of the kernels.
        layer_norm: Layer normalisation over (C, h, w) after each convolution.
        bias: Convolutions of the cells have a bias (the published action-conditioned model).
        forget_bias: Added before the sigmoid of the forget gates.
        memory_decoupling: Train with the decoupling term of PredRNN-V2; without it, PredRNN.
        patch: Side of the space-to-depth patches in pixels; None for strided convolutions
            (the published action-conditioned model).
        residual: Patches: predict the change of the frame. Strided convolutions: add the
            encoder's maps to the decoder's.
    """

    layers: int = 4
    hidden: int = 64
    kernel: int = 5
    layer_norm: bool = False
    bias: bool = False
    forget_bias: float = 1.0
    memory_decoupling: bool = True
    patch: int | None = 4
    residual: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "layers", "hidden", "kernel")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> PredRNN:
        """See `ModelConfig.build`."""
        return PredRNN(frame_shape, action_dim, self)


@final
class PredRNN(WorldModel):
    """PredRNN-V2 (Wang et al., TPAMI 2022): ST-LSTMs whose memory zigzags through the layers.

    The state holds `hidden{l}` and `cell{l}` of every layer l and the one `memory`, each of shape
    (B, hidden, h, w), zero at the start.

    Args:
        frame_shape: (C, H, W) in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: The patch, or 4 for strided convolutions, does not divide the frame.
    """

    def __init__(
        self,
        frame_shape: tuple[int, int, int],
        action_dim: int = 0,
        config: PredRNNConfig = PredRNNConfig(),
    ) -> None:
        super().__init__()
        self.frame_shape, self.action_dim, self._config = frame_shape, action_dim, config
        self.codec = _codec(frame_shape, config)
        self.actions = ActionEncoder(self.codec, action_dim) if action_dim else None
        self.cells = nn.ModuleList(
            STLSTMCell(
                config.hidden if layer else self.codec.features,
                config.hidden,
                self.codec.grid,
                kernel=config.kernel,
                layer_norm=config.layer_norm,
                bias=config.bias,
                forget_bias=config.forget_bias,
                action_features=self.actions.features if self.actions else None,
            )
            for layer in range(config.layers)
        )
        self.adapter = (
            nn.Conv2d(config.hidden, config.hidden, 1, bias=False)
            if config.memory_decoupling
            else None
        )

    @property
    def config(self) -> PredRNNConfig:
        """See `WorldModel.config`."""
        return self._config

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """See `WorldModel.initial_state`."""
        layers = range(self.config.layers)
        names = [f"{kind}{layer}" for kind in ("hidden", "cell") for layer in layers]
        shape = (batch, self.config.hidden, *self.codec.grid)
        device = self.device if device is None else device
        zeros = {name: torch.zeros(shape, device=device, dtype=self.dtype) for name in names}
        memory = torch.zeros(shape, device=device, dtype=self.dtype)
        return State({**zeros, "memory": memory}, batch_size=[batch])

    def step(self, frame: Tensor, action: Tensor, state: State) -> tuple[Tensor, State]:
        """See `WorldModel.step`."""
        frame, state, _ = self._step(frame, action, state)
        return frame, state

    def training_step(
        self, frame: Tensor, action: Tensor, state: State, target: Tensor
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """`step` and, with memory decoupling, the term `decoupling` averaged over the layers."""
        frame, state, increments = self._step(frame, action, state)
        if self.adapter is None:
            return frame, state, {}
        terms = [decoupling(self.adapter, *pair) for pair in increments]
        return frame, state, {"decoupling": torch.stack(terms).mean()}

    def latent(self, state: State) -> Tensor:
        """The top layer's hidden state. Shape (B, hidden, h, w)."""
        return state[f"hidden{self.config.layers - 1}"]

    def _step(
        self, frame: Tensor, action: Tensor, state: State
    ) -> tuple[Tensor, State, list[tuple[Tensor, Tensor]]]:
        x, skips = self.codec.encode(frame)
        memory = state["memory"]
        new: dict[str, Tensor] = {}
        increments: list[tuple[Tensor, Tensor]] = []
        features = self.actions(action) if self.actions else None
        for layer, cell in enumerate(self.cells):
            out = cell(x, state[f"hidden{layer}"], state[f"cell{layer}"], memory, features)
            x, memory = out.hidden, out.memory
            new[f"hidden{layer}"], new[f"cell{layer}"] = out.hidden, out.cell
            increments.append((out.cell_increment, out.memory_increment))
        new["memory"] = memory
        return self.codec.decode(x, skips), State(new, batch_size=state.batch_size), increments


def _codec(frame_shape: tuple[int, int, int], config: PredRNNConfig) -> FrameCodec:
    if config.patch is None:
        return StridedConvCodec(
            frame_shape, config.hidden, kernel=config.kernel, residual=config.residual
        )
    return PatchCodec(frame_shape, config.hidden, patch=config.patch, residual=config.residual)
