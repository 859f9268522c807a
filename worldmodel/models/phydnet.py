"""PhyDNet: physical dynamics beside a residual recurrence, with and without actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from worldmodel.errors import InputError, check_at_least, check_odd
from worldmodel.layers.action import ActionEncoder
from worldmodel.layers.conv_block import growing, rectified, shrinking
from worldmodel.layers.patches import check_divisible
from worldmodel.layers.phy_cell import PhyCell
from worldmodel.layers.plain_conv_lstm import PlainConvLSTMCell
from worldmodel.layers.recurrent import zeros
from worldmodel.model import ModelConfig, State, WorldModel

_KERNEL = 3


@final
@dataclass(frozen=True, kw_only=True)
class PhyDNetConfig(ModelConfig):
    """Options of `PhyDNet`; the defaults are those published for Moving MNIST.

    Attributes:
        features: Channels of the encoded frame and of the physical state; a multiple of 4 `groups`.
        kernel: Side k of the kernels of the k^2 partial derivatives; odd.
        layers: ConvLSTM layers of the residual branch.
        hidden: Channels of all those layers but the top one, which has `features`.
        groups: Groups of every group normalisation in the encoders and decoders.
    """

    paper: ClassVar[str] = "Le Guen & Thome, CVPR"
    year: ClassVar[int] = 2020

    features: int = 64
    kernel: int = 7
    layers: int = 3
    hidden: int = 128
    groups: int = 16

    def __post_init__(self) -> None:
        check_at_least(1, self, "features", "layers", "hidden", "groups")
        check_at_least(3, self, "kernel")
        check_odd(self, "kernel")
        if self.features % (4 * self.groups):
            raise InputError(
                f"PhyDNetConfig.features: expected a multiple of 4 groups, {4 * self.groups}, "
                f"got {self.features}"
            )

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> PhyDNet:
        """See `ModelConfig.build`."""
        return PhyDNet(frame_shape, action_dim, self)


@final
class PhyDNet(WorldModel[PhyDNetConfig]):
    """PhyDNet (Le Guen & Thome, CVPR 2020): a PhyCell and a ConvLSTM share encoder and decoder.

    Each branch has an encoder and a decoder of its own between the shared ones, and the decoded
    branches are added. The physical state is corrected by its input in every step, as
    in the authors' code, also where that is a prediction. An action modulates the change that the
    PhyCell predicts and the hidden path of the ConvLSTM, as in the action-conditioned PredRNN-V2;
    theirs knows no actions.

    The state holds `physical`, of shape (B, features, h, w), and `hidden{l}` and `cell{l}` of every
    ConvLSTM layer l; the grid is a quarter of the frame.

    Args:
        frame_shape: (C, H, W) in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: 4 does not divide the frame.
    """

    def __init__(
        self, frame_shape: tuple[int, int, int], action_dim: int, config: PhyDNetConfig
    ) -> None:
        super().__init__(frame_shape, action_dim, config)
        channels, height, width = frame_shape
        check_divisible(height, width, 4)
        self.grid = (height // 4, width // 4)
        features, groups = config.features, config.groups
        self.encoder = _encoder(channels, features, groups)
        self.physical_encoder = _branch(shrinking, features, groups)
        self.residual_encoder = _branch(shrinking, features, groups)
        self.action_encoder = ActionEncoder(None, action_dim) if action_dim else None
        action_features = self.action_encoder.features if self.action_encoder else None
        self.phy_cell = PhyCell(features, config.kernel, action_features)
        self._widths = [*[config.hidden] * (config.layers - 1), features]
        self.cells = nn.ModuleList(
            PlainConvLSTMCell(inputs, hidden, _KERNEL, action_features)
            for inputs, hidden in pairwise((features, *self._widths))
        )
        self.physical_decoder = _branch(growing, features, groups)
        self.residual_decoder = _branch(growing, features, groups)
        self.decoder = _decoder(channels, features, groups)

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """See `WorldModel.initial_state`."""
        shapes = {"physical": (self.config.features, *self.grid)}
        for layer, width in enumerate(self._widths):
            shapes[f"hidden{layer}"] = shapes[f"cell{layer}"] = (width, *self.grid)
        device = self.device if device is None else device
        return State(zeros(shapes, batch, device, self.dtype), batch_size=[batch])

    def transition(self, frame: Tensor, action: Any, state: State) -> tuple[Tensor, State]:
        """See `WorldModel.transition`."""
        encoded = self.encoder(frame)
        features = action if self.action_encoder else None
        new = {
            "physical": self.phy_cell(self.physical_encoder(encoded), state["physical"], features)
        }
        x = self.residual_encoder(encoded)
        for layer, cell in enumerate(self.cells):
            x, memory = cell(x, state[f"hidden{layer}"], state[f"cell{layer}"], features)
            new[f"hidden{layer}"], new[f"cell{layer}"] = x, memory
        decoded = self.physical_decoder(new["physical"]) + self.residual_decoder(x)
        return torch.sigmoid(self.decoder(decoded)), State(new, batch_size=state.batch_size)

    def training_transition(
        self, frame: Tensor, action: Any, state: State, target: Tensor
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """`transition` and the term `moments`, see `PhyCell.constraint`.

        The authors add it once to the squared error summed over T-1 predictions. Here the error is
        their mean, so that theirs is a weight of 1/(T-1) for the term: with training's weight of .1
        the same balance at 10 predictions.
        """
        return *self.transition(frame, action, state), {"moments": self.phy_cell.constraint()}

    def latent(self, state: State) -> Tensor:
        """The physical state and the top residual one. Shape (B, 2 features, h, w)."""
        top = state[f"hidden{self.config.layers - 1}"]
        return torch.cat((state["physical"], top), dim=1)


def _encoder(channels: int, features: int, groups: int) -> nn.Sequential:
    """Frames (B, C, H, W) to the grid (B, features, H/4, W/4)."""
    half = features // 2
    return nn.Sequential(
        rectified(shrinking(channels, half, kernel=_KERNEL, factor=2), groups),
        rectified(shrinking(half, half, kernel=_KERNEL, factor=1), groups),
        rectified(shrinking(half, features, kernel=_KERNEL, factor=2), groups),
    )


def _decoder(channels: int, features: int, groups: int) -> nn.Sequential:
    """The grid back to frames, as logits."""
    half = features // 2
    return nn.Sequential(
        rectified(growing(features, half, kernel=_KERNEL, factor=2), groups),
        rectified(growing(half, half, kernel=_KERNEL, factor=1), groups),
        growing(half, channels, kernel=_KERNEL, factor=2),
    )


def _branch(
    convolution: Callable[..., nn.Conv2d | nn.ConvTranspose2d], features: int, groups: int
) -> nn.Sequential:
    """Two convolutions that keep the grid."""
    return nn.Sequential(
        *(
            rectified(convolution(features, features, kernel=_KERNEL, factor=1), groups)
            for _ in range(2)
        )
    )
