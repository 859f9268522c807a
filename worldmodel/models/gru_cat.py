"""GRU+CAT: the monolithic baseline of the modular models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.errors import check_at_least
from worldmodel.layers.component_decoders import ConcatenationDecoder
from worldmodel.layers.frame_encoders import EmbeddingEncoder
from worldmodel.layers.group_gru import GroupGRU
from worldmodel.model import ModelConfig
from worldmodel.models.vector_rnn import VectorRNN


@final
@dataclass(frozen=True, kw_only=True)
class GRUCATConfig(ModelConfig):
    """Options of `GRUCAT`; the defaults are the thesis' for Moving MNIST.

    Attributes:
        hidden: Width D of the state; the thesis took 258 for Moving Sprites.
        features: Width F of the frame's embedding.
    """

    paper: ClassVar[str] = "Lin, M.Sc. thesis, TU Delft"
    year: ClassVar[int] = 2022

    hidden: int = 600
    features: int = 64

    def __post_init__(self) -> None:
        check_at_least(1, self, "hidden", "features")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> GRUCAT:
        """See `ModelConfig.build`."""
        return GRUCAT(frame_shape, action_dim, self)


@final
class GRUCAT(VectorRNN[GRUCATConfig]):
    """One GRU between the encoder and the decoder of the RIMs baseline (Lin, thesis, 2022).

    The state holds `hidden` of shape (B, 1, D). An action enters through the modulation of the
    action-conditioned PredRNN-V2, on the hidden path.

    Args:
        frame_shape: (C, H, W) in pixels; H and W multiples of 8, at least 32.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: Height and width are not multiples of 8, or below 32.
    """

    def __init__(
        self, frame_shape: tuple[int, int, int], action_dim: int, config: GRUCATConfig
    ) -> None:
        gru = GroupGRU(1, config.features, config.hidden, action_features=action_dim or None)
        super().__init__(
            frame_shape,
            action_dim,
            config,
            encoder=EmbeddingEncoder(frame_shape, config.features),
            cell=gru,
            decoder=ConcatenationDecoder(1, config.hidden, frame_shape),
            vectors=(1, config.hidden),
        )
