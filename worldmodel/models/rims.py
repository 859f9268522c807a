"""RIMs and OC-RIMs, with and without actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.layers.rim_cell import RIMCell, rim_cell
from worldmodel.models.modular import ModularConfig, ModularRNN


@final
@dataclass(frozen=True, kw_only=True)
class RIMsConfig(ModularConfig):
    """Options of `RIMs`; the defaults are the OC-RIMs of the thesis for Moving Sprites.

    Moving MNIST took `decoder="BCD"`. The RIMs baseline is `inputs="embedding", decoder="CAT"`;
    the thesis' OC-RIMs (FF) is `inputs="feature-map"`.
    """

    paper: ClassVar[str] = "Lin, M.Sc. thesis, TU Delft"
    year: ClassVar[int] = 2022

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> RIMs:
        """See `ModelConfig.build`."""
        return RIMs(frame_shape, action_dim, self)

    def cell(self, action_features: int | None) -> RIMCell:
        """See `ModularConfig.cell`."""
        return rim_cell(self.sizes, action_features=action_features)


@final
class RIMs(ModularRNN[RIMsConfig]):
    """Recurrent independent mechanisms for video, object-centric or not (Lin, thesis, 2022).

    The state holds `hidden` of shape (B, K, D), one vector per cell. An action enters through the
    modulation of the action-conditioned PredRNN-V2, on the hidden path of every cell's GRU.
    """
