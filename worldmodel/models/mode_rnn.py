"""ModeRNN: dynamic slots against spatiotemporal mode collapse, with and without actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, final

from torch import Tensor

from worldmodel.errors import InputError, check_at_least, check_one_of
from worldmodel.layers.codec import FrameCodec, PatchCodec, StridedConvCodec
from worldmodel.layers.mode_cell import ModeCell, SlotBinding, SlotFusion
from worldmodel.layers.recurrent import RecurrentLayer
from worldmodel.layers.slot_interaction import (
    MultiHeadAttention,
    SlotGraph,
    SlotSplit,
    StateInteraction,
)
from worldmodel.model import State
from worldmodel.models.stack import RecurrentStack, StackConfig

Binding = Literal["attention", "graph", "split"]
"""How the slot bus and the input become slots."""

Modulated = Literal["hidden", "input"]
"""What an action multiplies in a cell."""

_INTERACTIONS: dict[Binding, type[StateInteraction]] = {
    "attention": MultiHeadAttention,
    "graph": SlotGraph,
    "split": SlotSplit,
}
_OF_SLOTS = ("slot_width", "per_slot_ffn", "slot_fusion", "gated_shortcut")


@final
@dataclass(frozen=True, kw_only=True)
class ModeRNNConfig(StackConfig):
    """Options of `ModeRNN`; the defaults are the paper's for RoboNet.

    The paper's ablations, each against the defaults; what takes the place of the part that is
    left out is the paper's where it tells, and else the least that the other equations need:

    - Table IV: without slot binding, `binding=None` (F is I under its gate, no slots at all);
      without slot fusion, `slot_fusion=False`; without per-slot FFN, `per_slot_ffn=False`; without
      gated shortcut, `gated_shortcut=False`.
    - Table V, N of 1 to 9: about the same width in total, `slots=N, slot_width=round(128 / N)`;
      the same width per slot, `slots=N, hidden=16 * N` (16 channels of the slot bus to a slot, as
      the paper counts), or `slots=N, slot_width=32` to widen nothing but the slots.
    - Table VI: without multi-head attention, `binding="split"`; with a graph convolution instead,
      `binding="graph"`.

    KTH takes 6 slots, which do not divide 128 channels: `slots=6, slot_width=21`.

    Attributes:
        hidden: Channels d_s of hidden states and slot buses, and d_x of what enters a layer.
        kernel: Side of the gates' kernels, odd (the paper leaves it open).
        patch: Side of the space-to-depth patches in pixels; None for strided convolutions.
        slots: Dynamic slots N.
        slot_width: Channels of a slot before its feed-forward network; None for 2 d_s / N.
        binding: Multi-head attention, a graph convolution or no exchange between bus and input;
            None for a cell without slots.
        per_slot_ffn: A feed-forward network for each slot; otherwise one that all slots share.
        slot_fusion: Weigh slots and shortcut by the input; otherwise F is their plain sum.
        gated_shortcut: The input is a part of F.
        forget_bias: Added before the sigmoid of the forget gate (the paper leaves it open).
        learned_initial_bus: Start the slot buses from a learned Gaussian (the paper), drawn in
            training and at its mean in evaluation; otherwise from zeros (the authors' code).
        modulated: What an action multiplies: the "hidden" state after a convolution of it, or the
            "input", I = [X, H], by a normalised factor (the authors' code).
    """

    paper: ClassVar[str] = "Yao et al., TPAMI"
    year: ClassVar[int] = 2023

    kernel: int = 3
    slots: int = 4
    slot_width: int | None = None
    binding: Binding | None = "attention"
    per_slot_ffn: bool = True
    slot_fusion: bool = True
    gated_shortcut: bool = True
    forget_bias: float = 1.0
    learned_initial_bus: bool = True
    modulated: Modulated = "hidden"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "slots")
        check_one_of(self, "modulated", Modulated)
        if self.binding is None:
            self._check_without_slots()
        else:
            self._check_binding()

    def _check_binding(self) -> None:
        check_one_of(self, "binding", Binding)
        if self.binding == "graph" and self.slots == 1:
            raise InputError("slots: binding 'graph' expects at least 2 to join, got 1")
        if self.slot_width is not None:
            check_at_least(1, self, "slot_width")
        elif (2 * self.hidden) % self.slots:
            raise InputError(
                f"slots: {self.slots} does not divide the {2 * self.hidden} channels of [X, H]; "
                "a slot_width makes them fit"
            )

    def _check_without_slots(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _OF_SLOTS and value != field.default:
                raise InputError(
                    f"ModeRNNConfig.{field.name}: expected {field.default} where binding is None "
                    f"and there are no slots, got {value}"
                )

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> ModeRNN:
        """See `ModelConfig.build`."""
        return ModeRNN(frame_shape, action_dim, self)

    def codec(self, frame_shape: tuple[int, int, int]) -> FrameCodec:
        """Embedded patches, or the published strided convolutions; see `StackConfig.codec`."""
        if self.patch is None:
            return StridedConvCodec(frame_shape, self.hidden, residual=self.residual)
        return PatchCodec(
            frame_shape, self.hidden, patch=self.patch, embed=True, residual=self.residual
        )

    def cells(self, codec: FrameCodec, action_features: int | None) -> Sequence[RecurrentLayer]:
        """See `StackConfig.cells`."""
        return [self._cell(codec.grid, action_features) for _ in range(self.layers)]

    def _cell(self, grid: tuple[int, int], action_features: int | None) -> ModeCell:
        binding = self._slot_binding()
        return ModeCell(
            self.hidden,
            self.hidden,
            grid,
            binding=binding,
            fusion=SlotFusion(
                2 * self.hidden,
                binding.slots if binding else 0,
                adaptive=self.slot_fusion,
                shortcut=self.gated_shortcut,
            ),
            kernel=self.kernel,
            forget_bias=self.forget_bias,
            learned_initial_bus=self.learned_initial_bus,
            action_features=action_features,
            modulates_input=self.modulated == "input",
        )

    def _slot_binding(self) -> SlotBinding | None:
        if self.binding is None:
            return None
        width = 2 * self.hidden
        interaction = _INTERACTIONS[self.binding](
            self.hidden, width, self.slots, self.slot_width or width // self.slots
        )
        return SlotBinding(interaction, width, per_slot=self.per_slot_ffn)


@final
class ModeRNN(RecurrentStack[ModeRNNConfig]):
    """ModeRNN (Yao et al., TPAMI 2023): stacked ModeCells between two 1x1 convolutions on patches.

    Follows the paper's equations where the authors' code differs. The text under equation (1)
    prints the lower layer's state of the previous step as a layer's input; stacking, as in the
    code, takes the lower layer's state of the same step. An action enters every layer through the
    modulation of the action-conditioned PredRNN-V2, on the hidden state after one more convolution;
    the paper leaves open where, and the authors' code multiplies [X, H] (`modulated`).

    The paper gives its size for RoboNet as 6.4 ("Param (MB)") but no kernel for the gates. Gates of
    1x1, 3x3 and 5x5 make 1.3, 3.4 and 7.6 million parameters: 5.1, 13.5 and 30.3 MB in float32. The
    authors' code holds 5.9 million, of which its forward uses 3.5.

    The state holds `hidden{l}` and `bus{l}` of every layer l, each of shape (B, hidden, h, w).
    """

    def latent(self, state: State) -> Tensor:
        """The top layer's slot bus. Shape (B, hidden, h, w)."""
        return state[f"bus{len(self.cells) - 1}"]
