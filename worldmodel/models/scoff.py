"""SCOFF: object files and shared rules, with and without actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from worldmodel.errors import InputError, check_at_least
from worldmodel.layers.rim_cell import RIMCell
from worldmodel.layers.scoff_cell import scoff_cell
from worldmodel.models.modular import ModularConfig, ModularRNN


@final
@dataclass(frozen=True, kw_only=True)
class SCOFFConfig(ModularConfig):
    """Options of `SCOFF`; `cells` are its object files.

    Attributes:
        rules: Number J of rules (schemata) that the object files share.
        rule_key: Width of the match between an object file and a rule's candidate.
        temperature: Of the Gumbel softmax over the rules.
    """

    paper: ClassVar[str] = "Goyal et al., ICLR"
    year: ClassVar[int] = 2021

    rules: int = 3
    rule_key: int = 64
    temperature: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(2, self, "rules")
        check_at_least(1, self, "rule_key")
        if self.temperature <= 0:
            raise InputError(
                f"SCOFFConfig.temperature: expected a positive number, got {self.temperature}"
            )

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> SCOFF:
        """See `ModelConfig.build`."""
        return SCOFF(frame_shape, action_dim, self)

    def cell(self, action_features: int | None) -> RIMCell:
        """See `ModularConfig.cell`."""
        return scoff_cell(
            self.sizes,
            rules=self.rules,
            key=self.rule_key,
            temperature=self.temperature,
            action_features=action_features,
        )


@final
class SCOFF(ModularRNN[SCOFFConfig]):
    """SCOFF in the place of RIMs (Lin, thesis, 2022, section 3.5): permutation-equivariant cells.

    Follows the thesis' equations (3.24) to (3.28) in a RIM cell whose attentions are shared by all
    object files, so that files differ in their states alone. The thesis' code reads without a null
    input and gates the communication; this model does neither. Training is unstable: all ten runs
    of the thesis failed (section 4.6), which it puts down to the drawn choice of rules.

    The state holds `hidden` of shape (B, K, D), one vector per object file. An action enters
    through the modulation of the action-conditioned PredRNN-V2, on the hidden path of every rule.
    """
