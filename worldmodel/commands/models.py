"""`worldmodel models`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from worldmodel.commands.options import parse
from worldmodel.complexity import forward_flops, parameter_count, shape_only
from worldmodel.errors import InputError, check_at_least
from worldmodel.model import ModelConfig
from worldmodel.models.published.sizes import PUBLISHED
from worldmodel.report.table import Cell, Table

_MEASURED = ("parameters [M]", "forward [GFLOP]", "actions", "stochastic")


@final
@dataclass(frozen=True)
class ModelsConfig:
    """All architectures in their published sizes, and what they cost.

    Attributes:
        channels: Channels C of the frames.
        height: Height H in pixels.
        width: Width W in pixels.
        action_dim: Width A of an action; 0 for none.
        length: Frames T of a clip; a forward pass makes T-1 predictions.
        batch: Clips that share what does not depend on the clip.
    """

    channels: int = 1
    height: int = 64
    width: int = 64
    action_dim: int = 0
    length: int = 20
    batch: int = 8

    def __post_init__(self) -> None:
        check_at_least(1, self, "channels", "height", "width", "batch")
        check_at_least(0, self, "action_dim")
        check_at_least(2, self, "length")


def run(arguments: Sequence[str]) -> None:
    """Print the table, and below it why a model cannot take such frames."""
    config = parse(ModelsConfig, "models", arguments)
    rows, refusals = [], []
    for name in PUBLISHED:
        row = _described(name)
        try:
            row |= _measured(PUBLISHED[name], config)
        except InputError as error:
            row |= dict.fromkeys(_MEASURED)
            refusals.append(f"{name}: {error}")
        rows.append(row)
    print(Table.of(rows).markdown(), *refusals, sep="\n", end="\n" if refusals else "")


def _described(name: str) -> dict[str, Cell]:
    config = PUBLISHED[name]
    return {
        "model": name,
        "options": type(config).__name__,
        "paper": config.paper,
        "year": str(config.year),
    }


def _measured(config: ModelConfig, options: ModelsConfig) -> dict[str, Cell]:
    frame_shape = (options.channels, options.height, options.width)
    model = shape_only(config, frame_shape, options.action_dim)
    parameters, flops = parameter_count(model), forward_flops(model, options.length, options.batch)
    measured = (round(parameters / 1e6, 2), round(flops / 1e9, 1), True, model.stochastic)
    return dict(zip(_MEASURED, measured, strict=True))
