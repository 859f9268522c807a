"""What RIMs and SCOFF share: what the cells see, and how they are decoded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, TypeVar

from torch import Tensor, nn

from worldmodel.errors import InputError, check_at_least, check_one_of
from worldmodel.layers.broadcast_decoder import BroadcastDecoder
from worldmodel.layers.component_decoders import (
    ComponentDecoder,
    Components,
    ConcatenationDecoder,
)
from worldmodel.layers.frame_encoders import EmbeddingEncoder, FeatureMapEncoder
from worldmodel.layers.input_attention import Reading
from worldmodel.layers.rim_cell import CellSizes, RIMCell
from worldmodel.layers.slot_attention import SlotAttention
from worldmodel.layers.upsampling_decoder import UpsamplingDecoder
from worldmodel.model import ModelConfig, State
from worldmodel.models.vector_rnn import VectorRNN

Inputs = Literal["embedding", "feature-map", "slots"]
Decoder = Literal["CAT", "SBD", "BCD"]


@dataclass(frozen=True, kw_only=True)
class ModularConfig(ModelConfig, ABC):
    """Options of every model made of cells; the defaults are table 4.1 of the thesis.

    Attributes:
        inputs: What the cells see of a frame: one embedding of all of it, one vector per position
            of a feature map, or the slots of slot attention over that map.
        decoder: CAT decodes all states at once; SBD (spatial broadcast) and BCD (upsampling) decode
            each state to a frame and a mask.
        cells: Number K of cells.
        active: Number k_a of cells that a step updates; None for all.
        hidden: Width D of a cell's state.
        features: Width F of the embedding, or of the feature map's vectors.
        slots: Number S of slots (inputs "slots").
        slot_size: Width of a slot (inputs "slots").
        slot_iterations: Rounds of slot attention (inputs "slots").
        key: Width of the input attention's keys.
        value: Width of its values.
        communication_heads: Heads of the communication.
        communication_key: Width of its keys per head.
        dropout: Probability of dropping an attention weight in training.
    """

    inputs: Inputs = "slots"
    decoder: Decoder = "SBD"
    cells: int = 6
    active: int | None = None
    hidden: int = 100
    features: int = 64
    slots: int = 3
    slot_size: int = 64
    slot_iterations: int = 3
    key: int = 64
    value: int = 200
    communication_heads: int = 2
    communication_key: int = 32
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_one_of(self, "inputs", Inputs)
        check_one_of(self, "decoder", Decoder)
        check_at_least(2, self, "cells", "slots")
        check_at_least(1, self, "hidden", "features", "slot_size", "slot_iterations")
        check_at_least(1, self, "key", "value", "communication_heads", "communication_key")
        name = type(self).__name__
        if not 1 <= self.updated <= self.cells:
            raise InputError(f"{name}.active: expected 1 to {self.cells}, got {self.active}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"{name}.dropout: expected 0 to below 1, got {self.dropout}")

    @property
    def updated(self) -> int:
        """Number of cells that a step updates."""
        return self.cells if self.active is None else self.active

    @property
    def sizes(self) -> CellSizes:
        """Sizes of the cells."""
        return CellSizes(
            inputs=self.slot_size if self.inputs == "slots" else self.features,
            hidden=self.hidden,
            cells=self.cells,
            active=self.updated,
            key=self.key,
            value=self.value,
            communication_heads=self.communication_heads,
            communication_key=self.communication_key,
            dropout=self.dropout,
        )

    @abstractmethod
    def cell(self, action_features: int | None) -> RIMCell:
        """The cells; no actions if the features are None."""

    def encoder(self, frame_shape: tuple[int, int, int]) -> nn.Module:
        """What the cells see of frames (C, H, W): vectors (B, N, F).

        Raises:
            InputError: Height and width are not multiples of 8, or below 32.
        """
        if self.inputs == "embedding":
            return EmbeddingEncoder(frame_shape, self.features)
        maps = FeatureMapEncoder(frame_shape, self.features)
        if self.inputs == "feature-map":
            return maps
        slots = SlotAttention(
            self.features, slots=self.slots, width=self.slot_size, iterations=self.slot_iterations
        )
        return nn.Sequential(maps, slots)

    def frame_decoder(
        self, frame_shape: tuple[int, int, int]
    ) -> ConcatenationDecoder | ComponentDecoder:
        """How the states become frames (C, H, W)."""
        if self.decoder == "CAT":
            return ConcatenationDecoder(self.cells, self.hidden, frame_shape)
        kind = BroadcastDecoder if self.decoder == "SBD" else UpsamplingDecoder
        channels, height, width = frame_shape
        return ComponentDecoder(kind(self.hidden, channels + 1, (height, width)))


Options = TypeVar("Options", bound=ModularConfig)


class ModularRNN(VectorRNN[Options], ABC):
    """Cells that read from a frame, move on, talk, and are decoded.

    Args:
        frame_shape: (C, H, W) in pixels; H and W multiples of 8, at least 32.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: Height and width are not multiples of 8, or below 32.
    """

    cell: RIMCell

    def __init__(self, frame_shape: tuple[int, int, int], action_dim: int, config: Options) -> None:
        super().__init__(
            frame_shape,
            action_dim,
            config,
            encoder=config.encoder(frame_shape),
            cell=config.cell(action_dim or None),
            decoder=config.frame_decoder(frame_shape),
            vectors=(config.cells, config.hidden),
        )

    def components(self, state: State) -> Components:
        """What each cell contributes to the frame that was predicted with this state.

        Raises:
            InputError: The decoder is CAT, which decodes all cells at once.
        """
        if not isinstance(self.decoder, ComponentDecoder):
            raise InputError(
                f"decoder: {self.config.decoder} has no components; decoders that have: SBD, BCD"
            )
        return self.decoder.components(state["hidden"])

    def attention(self, frame: Tensor, state: State) -> Reading:
        """What each cell reads from a frame (B, C, H, W) in the step from this state."""
        return self.cell.attention(self.encoder(frame), state["hidden"])
