"""SimVP: convolutions alone, on a window of frames, with and without actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from worldmodel.errors import InputError, check_at_least
from worldmodel.layers.action import ActionEncoder, action_modulation, modulated
from worldmodel.layers.conv_block import growing, rectified, shrinking, start_small
from worldmodel.layers.inception import GROUPS, InceptionUNet
from worldmodel.layers.patches import check_divisible
from worldmodel.model import ModelConfig, State, WorldModel

_NORM_GROUPS = 2


@final
@dataclass(frozen=True, kw_only=True)
class SimVPConfig(ModelConfig):
    """Options of `SimVP`; the defaults are those published for Moving MNIST.

    Attributes:
        window: Frames T that a prediction sees.
        hidden: Channels of a frame's encoding; a multiple of 8.
        halvings: Halvings of the frame by the encoder, each after a convolution that keeps the
            size (the paper's N_S is twice that).
        translator_hidden: Channels within the translator; a multiple of 16.
        translator_depth: Inception blocks down, and up (the paper's N_T).
        residual: Predict the change of the frame; an untrained model then predicts nearly none.
    """

    paper: ClassVar[str] = "Gao et al., CVPR"
    year: ClassVar[int] = 2022

    window: int = 10
    hidden: int = 64
    halvings: int = 2
    translator_hidden: int = 256
    translator_depth: int = 8
    residual: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "window", "hidden", "halvings", "translator_hidden")
        check_at_least(2, self, "translator_depth")
        for name, factor in (("hidden", GROUPS), ("translator_hidden", 2 * GROUPS)):
            if getattr(self, name) % factor:
                raise InputError(
                    f"SimVPConfig.{name}: expected a multiple of {factor}, "
                    f"got {getattr(self, name)}"
                )

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> SimVP:
        """See `ModelConfig.build`."""
        return SimVP(frame_shape, action_dim, self)


@final
class SimVP(WorldModel[SimVPConfig]):
    """SimVP (Gao et al., CVPR 2022): encodings of a window of frames, translated to the next.

    The paper translates T frames to the T that follow, and feeds those back for longer horizons.
    Here a step translates the last T frames to the one that follows, so that any horizon, and an
    action at every frame, fit. The decoder takes the skip connection of the newest frame.

    An action modulates the encoding of its frame, as in the action-conditioned PredRNN-V2; the
    paper knows no actions. Until T frames are seen, the first, with its action, stands for those
    that are missing.

    The state holds the `window` of encodings, oldest first, of shape (B, T, hidden, h, w), and
    whether it has `started`, of shape (B, 1).

    Args:
        frame_shape: (C, H, W) in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: 2^halvings does not divide the frame.
    """

    def __init__(
        self, frame_shape: tuple[int, int, int], action_dim: int, config: SimVPConfig
    ) -> None:
        super().__init__(frame_shape, action_dim, config)
        channels, height, width = frame_shape
        scale, hidden = 2**config.halvings, config.hidden
        check_divisible(height, width, scale)
        self.grid = (height // scale, width // scale)
        self.embedding = _block(shrinking(channels, hidden, kernel=3, factor=1))
        self.encoder = _encoder(hidden, config.halvings)
        self.action_encoder = ActionEncoder(None, action_dim) if action_dim else None
        self.modulation = action_modulation(action_dim or None, hidden)
        self.translator = InceptionUNet(
            config.window * hidden, config.translator_hidden, hidden, config.translator_depth
        )
        self.decoder = _decoder(hidden, config.halvings)
        self.fusion = _block(shrinking(2 * hidden, hidden, kernel=3, factor=1))
        self.readout = nn.Conv2d(hidden, channels, 1)
        if config.residual:
            start_small(self.readout)

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """See `WorldModel.initial_state`."""
        device = self.device if device is None else device
        shape = (batch, self.config.window, self.config.hidden, *self.grid)
        window = torch.zeros(shape, device=device, dtype=self.dtype)
        started = torch.zeros((batch, 1), device=device, dtype=torch.bool)
        return State({"window": window, "started": started}, batch_size=[batch])

    def transition(self, frame: Tensor, action: Any, state: State) -> tuple[Tensor, State]:
        """See `WorldModel.transition`."""
        skip = self.embedding(frame)
        features = action if self.action_encoder else None
        new = _pushed(state, modulated(self.encoder(skip), self.modulation, features))
        decoded = self.decoder(self._translated(new))
        predicted = self.readout(self.fusion(torch.cat((decoded, skip), dim=1)))
        return frame + predicted if self.config.residual else predicted, new

    def latent(self, state: State) -> Tensor:
        """The next frame's encoding, translated from the window. Shape (B, hidden, h, w)."""
        return self._translated(state)

    def _translated(self, state: State) -> Tensor:
        return self.translator(state["window"].flatten(1, 2))


def _pushed(state: State, encoding: Tensor) -> State:
    """The state with the newest encoding (B, hidden, h, w) in its window."""
    window, newest = state["window"], encoding[:, None]
    shifted = torch.cat((window[:, 1:], newest), dim=1)
    started = state["started"][:, :, None, None, None]
    new = {
        "window": torch.where(started, shifted, newest),
        "started": torch.ones_like(state["started"]),
    }
    return State(new, batch_size=state.batch_size)


def _encoder(hidden: int, halvings: int) -> nn.Sequential:
    """Blocks that halve the maps, and between two of them one that keeps the size."""
    return nn.Sequential(
        *(_block(shrinking(hidden, hidden, kernel=3, factor=f)) for f in _factors(halvings))
    )


def _decoder(hidden: int, halvings: int) -> nn.Sequential:
    """Blocks that double the maps, and between two of them one that keeps the size."""
    kinds = {1: shrinking, 2: growing}
    return nn.Sequential(
        *(_block(kinds[f](hidden, hidden, kernel=3, factor=f)) for f in _factors(halvings))
    )


def _factors(halvings: int) -> list[int]:
    return [2, *(1, 2) * (halvings - 1)]


def _block(conv: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return rectified(conv, _NORM_GROUPS)
