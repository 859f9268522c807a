"""A trained model that a command was given, and what it knows of its recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

from worldmodel.checkpoint import Checkpoint, ModelCard, load
from worldmodel.errors import InputError
from worldmodel.output_folder import read_note
from worldmodel.settings import differences, dotted
from worldmodel.training.run_folder import RunFolder

OPEN = (
    "data.path",
    "data.format",
    "data.weights",
    "data.strict",
    "data.window.length",
    "data.context",
    "data.batch_size",
    "data.workers",
    "data.cache",
    "data.disk_cache",
    "output",
)
"""Options that may be others than in training: where recordings are and how they are read, and how
far the model is to look ahead."""

_TOLD = (
    "data.path",
    "data.generator.class_path",
    "data.format",
    "data.camera",
    "data.context",
    "data.batch_size",
    "data.window.length",
    "data.window.stride",
    "data.window.image_size",
    "data.window.fit",
    "data.window.color",
    "split",
)
"""Known options that are worth a word."""


@final
@dataclass(frozen=True)
class Trained:
    """A trained model and the options that need not be given again.

    Attributes:
        name: As the user gave it.
        checkpoint: The model and its card.
        known: Options of evaluation that are known, as a configuration file holds them.
    """

    name: str
    checkpoint: Checkpoint
    known: Mapping[str, Any]

    @classmethod
    def find(cls, name: str) -> Self:
        """A training run by its folder, else a checkpoint by its folder or shipped name.

        Raises:
            InputError: There is none of that name, or it is damaged or not finished.
        """
        run = RunFolder(Path(name))
        if not run.options.is_file():
            checkpoint = load(name)
            return cls(name, checkpoint, _of_card(checkpoint.card))
        if not run.checkpoint.exists():
            raise InputError(
                f"{name}: this run has not ended yet, it has no checkpoint; "
                f"go on with: worldmodel train --resume {name}"
            )
        return cls(name, load(run.checkpoint), _of_run(run))

    def taken(self, config: Any) -> str:
        """One line on the known options that are in effect."""
        known, now = dotted(self.known), dotted(config)
        names = [name for name in _TOLD if known.get(name) is not None]
        same = [name for name in names if known[name] == now.get(name)]
        return f"taken from {self.name}: " + ", ".join(f"{name} {known[name]}" for name in same)

    def check(self, config: Any) -> None:
        """Refuse options, of a dataclass, that contradict those of the training.

        Raises:
            InputError: Names every one and both its values.
        """
        known, now = dotted(self.known), dotted(config)
        same = {name: value for name, value in now.items() if name in known}
        if contradicting := differences(known, same, OPEN):
            raise InputError(
                f"{self.name} was trained with other options: {'; '.join(contradicting)}; "
                "leave them out"
            )


def _of_run(run: RunFolder) -> dict[str, Any]:
    return {
        "data": read_note(run.options).get("data", {}),
        "split": str(run.split),
        "output": str(run.root / "evaluation"),
    }


def _of_card(card: ModelCard) -> dict[str, Any]:
    height, width = card.frame_shape[1:]
    window = {
        "length": card.length,
        "stride": card.stride,
        "image_size": height if height == width else [height, width],
        "fit": card.fit,
        "color": card.color,
    }
    data = {"window": _without_none(window), "context": card.context, "camera": card.camera}
    return {"data": _without_none(data)}


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
