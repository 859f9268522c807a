"""What stacks of recurrent layers between a frame encoder and a frame decoder share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from worldmodel.errors import check_at_least, check_odd
from worldmodel.layers.action import ActionEncoder
from worldmodel.layers.codec import FrameCodec, PatchCodec, Skips, StridedConvCodec
from worldmodel.layers.convolution import shared
from worldmodel.layers.decoupling import decoupling
from worldmodel.layers.recurrent import LayerOutput, RecurrentLayer, zeros
from worldmodel.model import ModelConfig, State, WorldModel


class StackParts(ModelConfig, ABC):
    """What a `RecurrentStack` is built from."""

    @abstractmethod
    def codec(self, frame_shape: tuple[int, int, int]) -> FrameCodec:
        """How frames (C, H, W) enter and leave the stack.

        Raises:
            InputError: The frame does not fit.
        """

    @abstractmethod
    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """The layers, from the bottom, on the codec's grid; no actions if the features are None."""

    def adapter(self) -> nn.Conv2d | None:
        """W_decouple of `worldmodel.layers.decoupling`, where training has that term."""
        return None


@dataclass(frozen=True, kw_only=True)
class StackConfig(StackParts, ABC):
    """Options that recurrent stacks of one cell share.

    Attributes:
        layers: Recurrent layers L.
        hidden: Channels of every layer; at least 2 with strided convolutions.
        kernel: Side of the kernels; odd.
        patch: Side of the space-to-depth patches in pixels; None for strided convolutions
            (the published action-conditioned PredRNN-V2).
        residual: Patches: predict the change of the frame. Strided convolutions: add the
            encoder's maps to the decoder's.
    """

    layers: int = 4
    hidden: int = 64
    kernel: int = 5
    patch: int | None = 4
    residual: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "layers", "hidden")
        check_odd(self, "kernel")
        if self.patch is None:
            check_at_least(2, self, "hidden")
        else:
            check_at_least(1, self, "patch")

    def codec(self, frame_shape: tuple[int, int, int]) -> FrameCodec:
        """Patches, or strided convolutions; see `StackParts.codec`.

        Raises:
            InputError: The patch, or 4 for strided convolutions, does not divide the frame.
        """
        if self.patch is None:
            return StridedConvCodec(
                frame_shape, self.hidden, kernel=self.kernel, residual=self.residual
            )
        return PatchCodec(frame_shape, self.hidden, patch=self.patch, residual=self.residual)


Options = TypeVar("Options", bound=StackParts)


class RecurrentStack(WorldModel[Options], ABC, Generic[Options]):
    """Recurrent layers between a frame encoder and a frame decoder.

    The state holds `{name}{l}` for every entry of layer l's own state, and the entries of the flow
    that the bottom layer reads.

    Args:
        frame_shape: (C, H, W) in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: The frame does not fit the codec or the layers.
    """

    def __init__(self, frame_shape: tuple[int, int, int], action_dim: int, config: Options) -> None:
        super().__init__(frame_shape, action_dim, config)
        self.codec = config.codec(frame_shape)
        encoder = ActionEncoder(self.codec, action_dim) if action_dim else None
        self.action_encoder = encoder
        cells = config.cells(self.codec, encoder.features if encoder else None)
        self.cells = nn.ModuleList(cells)
        self.adapter = config.adapter()
        self._own = [tuple(cell.own) for cell in cells]
        self._flow = dict(cells[0].flow)

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """See `WorldModel.initial_state`."""
        device = self.device if device is None else device
        entries = zeros(self._flow, batch, device, self.dtype)
        for layer, cell in enumerate(self.cells):
            assert isinstance(cell, RecurrentLayer)
            own = cell.initial(batch, device, self.dtype)
            entries.update({f"{name}{layer}": value for name, value in own.items()})
        return State(entries, batch_size=[batch])

    def transition(self, frame: Tensor, action: Any, state: State) -> tuple[Tensor, State]:
        """See `WorldModel.transition`."""
        frame, state, _ = self._step(frame, action, state)
        return frame, state

    def training_transition(
        self, frame: Tensor, action: Any, state: State, target: Tensor
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """`transition` and, with an adapter, the term `decoupling` averaged over the layers."""
        frame, state, outputs = self._step(frame, action, state)
        if self.adapter is None:
            return frame, state, {}
        gains = [output.increments for output in outputs if output.increments is not None]
        return frame, state, {"decoupling": decoupling(self.adapter, gains)}

    def latent(self, state: State) -> Tensor:
        """The top layer's hidden state. Shape (B, features, h, w)."""
        return state[f"hidden{len(self.cells) - 1}"]

    def _step(
        self, frame: Tensor, action: Any, state: State
    ) -> tuple[Tensor, State, list[LayerOutput]]:
        x, skips = self._encoded_frame(frame)
        features = action if self.action_encoder else None
        flow = {name: state[name] for name in self._flow}
        entries: dict[str, Tensor] = {}
        outputs: list[LayerOutput] = []
        for layer, (cell, names) in enumerate(zip(self.cells, self._own, strict=True)):
            own = {name: state[f"{name}{layer}"] for name in names}
            output = cell(x, own, flow, features)
            x, flow = output.output, {**flow, **output.flow}
            entries.update({f"{name}{layer}": value for name, value in output.own.items()})
            outputs.append(output)
        entries.update({name: flow[name] for name in self._flow})
        return self.codec.decode(x, skips), State(entries, batch_size=state.batch_size), outputs

    def _encoded_frame(self, frame: Tensor) -> tuple[Tensor, Skips]:
        """Once where one frame stands for all of the batch, see `once`."""
        if len(frame) > 1 and frame.stride(0) == 0:
            x, skips = self.codec.encode(frame[:1])
            return shared(x, len(frame)), tuple(shared(skip, len(frame)) for skip in skips)
        return self.codec.encode(frame)
