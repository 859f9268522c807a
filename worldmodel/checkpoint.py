"""A trained model on disk: a folder of `model.safetensors` and a readable `config.yaml`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, final

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from worldmodel.data.clips.blocks import Color, Fit
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, WorldModel, channels_last
from worldmodel.models.architectures import ARCHITECTURES, architecture_of
from worldmodel.models.published.translation import load_by_name

PRETRAINED = Path(__file__).parent / "pretrained"
"""Folder of the checkpoints that ship with the package."""

WEIGHTS, CONFIG = "model.safetensors", "config.yaml"

CHECKPOINT = "checkpoint"
"""Folder of the checkpoint in that of a training run."""

_DAMAGE = (
    AttributeError,
    KeyError,
    SafetensorError,
    TypeError,
    UnicodeDecodeError,
    yaml.YAMLError,
)


@final
@dataclass(frozen=True)
class ModelCard:
    """What a user of a trained model must know.

    Attributes:
        frame_shape: (C, H, W) of its frames, in pixels.
        action_names: One per action dimension; empty for an action-free model.
        action_mean: Mean of the training actions, in the units of the log. Length A.
        action_std: Their standard deviation. Length A.
        domains: Laboratories, robots or seasons it was trained on.
        context: Frames it was trained to be given.
        length: Frames of the clips it was trained on.
        steps: Optimiser steps taken.
        seed: Seed of the run.
        data: Name of the training data.
        stride: Recorded frames per step of the model.
        camera: Cameras it was trained on, as the data option names them; None if unknown.
        fit: How pictures were given the shape of its frames, as `WindowShape.fit`; None if unknown.
        color: Colors of its frames, as `WindowShape.color`; None if unknown.
    """

    frame_shape: tuple[int, int, int]
    action_names: tuple[str, ...]
    action_mean: tuple[float, ...]
    action_std: tuple[float, ...]
    domains: tuple[str, ...]
    context: int
    length: int
    steps: int
    seed: int
    data: str
    stride: int = 1
    camera: int | str | tuple[int | str, ...] | None = None
    fit: Fit | None = None
    color: Color | None = None


@final
@dataclass(frozen=True)
class Checkpoint:
    """A trained model, in evaluation mode, and its card."""

    model: WorldModel
    card: ModelCard

    def check_actions(self, names: tuple[str, ...]) -> None:
        """Refuse another action space.

        Raises:
            InputError: Names both action spaces.
        """
        if names != self.card.action_names:
            raise InputError(
                f"actions: this checkpoint was trained with {_listed(self.card.action_names)}, "
                f"here they are {_listed(names)}"
            )


def save_checkpoint(
    folder: Path | str, model: WorldModel, card: ModelCard, dtype: torch.dtype = torch.float32
) -> None:
    """Write a checkpoint; the folder appears, or changes, only when it is complete.

    Args:
        folder: Where to; an older checkpoint there is replaced.
        model: The trained model.
        card: What its users must know.
        dtype: Type to store the parameters in; buffers keep theirs. All are loaded as float32.

    Raises:
        InputError: The folder is there and holds no checkpoint.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / CONFIG).is_file():
        raise InputError(
            f"{folder}: expected a new folder, or one with a checkpoint to overwrite; "
            f"this one holds something else ({CONFIG} is missing)"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        save_file(_stored(model, dtype), new / WEIGHTS)
        (new / CONFIG).write_text(_to_yaml(model.config, card))
        try:
            if folder.exists():
                os.replace(folder, old)
            os.replace(new, folder)
        finally:
            if old.exists() and not folder.exists():
                os.replace(old, folder)


def load(name: Path | str) -> Checkpoint:
    """Read a checkpoint; nothing in it is executed.

    Args:
        name: Of a model that ships with the package, in any case; or the folder of a checkpoint,
            or of a training run that has one.

    Raises:
        InputError: There is no such model or folder, a file of it is missing or damaged, the
            architecture or an option is unknown, or the weights do not fit.
    """
    folder = _found(name)
    for file in (WEIGHTS, CONFIG):
        if not (folder / file).is_file():
            raise InputError(
                f"{folder}: not a checkpoint, {file} is missing; "
                f"nor a training run that has one, {CHECKPOINT}/ is missing"
            )
    try:
        content = yaml.safe_load((folder / CONFIG).read_text())
        config = _model_config(content)
        card = ModelCard(**{key: _tupled(value) for key, value in content["card"].items()})
        weights = load_file(folder / WEIGHTS)
    except _DAMAGE as error:
        raise InputError(f"{folder}: damaged checkpoint ({error!r})") from error
    model = config.build(card.frame_shape, len(card.action_names))
    load_by_name(model, {name: value.float() for name, value in weights.items()})
    return Checkpoint(channels_last(model).eval(), card)


def _found(name: Path | str) -> Path:
    """Folder of the checkpoint of that name; a shipped one hides a folder in the working folder."""
    shipped = {path.parent.name: path.parent for path in sorted(PRETRAINED.glob(f"*/{CONFIG}"))}
    folder, of_run = Path(name), Path(name) / CHECKPOINT
    if isinstance(name, str) and (known := shipped.get(name.lower().replace("_", "-"))):
        return known
    if of_run.is_dir():
        return of_run
    if folder.is_dir():
        return folder
    raise InputError(
        f"{name}: expected the folder of a checkpoint or of a training run that has one, or a "
        f"model that ships with the package, got neither; available: {_listed(shipped)}"
    )


def _stored(model: WorldModel, dtype: torch.dtype) -> dict[str, Tensor]:
    weights = model.state_dict()
    weights.update((name, value.detach().to(dtype)) for name, value in model.named_parameters())
    return {name: value.contiguous() for name, value in weights.items()}


def _model_config(content: Mapping[str, Any]) -> ModelConfig:
    architecture, stored = content["architecture"], content["options"]
    kind = ARCHITECTURES[architecture]
    known = [field.name for field in fields(kind)]  # pyright: ignore[reportArgumentType]
    if unknown := set(stored).difference(known):
        raise InputError(
            f"{architecture} has no option {_listed(sorted(unknown))}; available: {_listed(known)}"
        )
    options = {
        name: _model_config(value) if isinstance(value, Mapping) else value
        for name, value in stored.items()
    }
    return kind(**options)


def _described(config: ModelConfig) -> dict[str, Any]:
    options = {field.name: getattr(config, field.name) for field in fields(config)}  # pyright: ignore
    return {
        "architecture": architecture_of(config),
        "options": {
            name: _described(value) if isinstance(value, ModelConfig) else value
            for name, value in options.items()
        },
    }


def _to_yaml(config: ModelConfig, card: ModelCard) -> str:
    described = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(card).items()}
    return yaml.safe_dump({**_described(config), "card": described}, sort_keys=False)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
