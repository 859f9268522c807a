"""The folder of a training run: where its parts are, and which run may write there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, final, get_type_hints

import torch
import yaml

from worldmodel.data.clips.splits import Split, load_split
from worldmodel.data.whole_file import whole_file
from worldmodel.errors import InputError

FREE = {
    "accelerator",
    "data.cache",
    "data.disk_cache",
    "data.path",
    "data.workers",
    "devices",
    "output",
    "resume",
    "stored",
    "threads",
}
"""Options that may change when a run goes on."""


@final
@dataclass(frozen=True)
class RunFolder:
    """What a run leaves behind.

    Attributes:
        root: The folder; TensorBoard's files are in it too.
    """

    root: Path

    @property
    def checkpoint(self) -> Path:
        """The trained model."""
        return self.root / "checkpoint"

    @property
    def state(self) -> Path:
        """The last state from which the run can go on."""
        return self.root / "resume" / "last.ckpt"

    @property
    def strips(self) -> Path:
        """Pictures of validation clips."""
        return self.root / "strips"

    @property
    def split(self) -> Path:
        """Parts of the recordings."""
        return self.root / "split.json"

    @property
    def recordings(self) -> Path:
        """Digest of the recordings."""
        return self.root / "recordings.sha256"

    @property
    def options(self) -> Path:
        """Options of the run, as `worldmodel train --config` takes them."""
        return self.root / "run.yaml"

    def check_unused(self) -> None:
        """Refuse a folder in which a run has left weights.

        Raises:
            InputError: Says how to go on with that run.
        """
        if self.state.exists() or self.checkpoint.exists():
            raise InputError(
                f"output: {self.root} holds an earlier run; choose another folder, "
                "or go on with --resume true"
            )

    def begin(self, config: Any, split: Split, digest: str) -> None:
        """Write down the options, a dataclass, and which recordings there are, in which parts."""
        self.root.mkdir(parents=True, exist_ok=True)
        with whole_file(self.options) as unfinished:
            unfinished.write_text(_as_yaml(config))
        split.save(self.split)
        self.recordings.write_text(digest + "\n")

    def check_same(self, config: Any) -> None:
        """Refuse to go on with a run that does not exist or has other options.

        Raises:
            InputError: Names the missing file, or every option that differs and both its values.
        """
        for path in (self.state, self.options, self.recordings):
            if not path.is_file():
                raise InputError(f"resume: {self.root} holds no saved state ({path} is missing)")
        then, now = (
            {name: value for name, value in _flat(options) if name not in FREE}
            for options in (self._saved_options(), yaml.safe_load(_as_yaml(config)))
        )
        differing = [
            f"{name} was {then.get(name)} and is {now.get(name)}"
            for name in sorted({*then, *now})
            if then.get(name) != now.get(name)
        ]
        if differing:
            raise InputError(f"resume: {self.root} has other options: {'; '.join(differing)}")

    def _saved_options(self) -> dict[str, Any]:
        try:
            return dict(yaml.safe_load(self.options.read_text()))
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise InputError(f"resume: {self.options} is damaged ({error})") from error

    def check_recordings(self, split: Split, digest: str) -> None:
        """Refuse to go on with other recordings.

        Raises:
            InputError: The recordings or their parts are not those that the run began with.
        """
        if load_split(self.split) != split or self.recordings.read_text().strip() != digest:
            raise InputError(
                f"resume: the recordings are not those of {self.split}, with which the run began"
            )

    def saved_step(self) -> int:
        """Optimiser steps before the saved state.

        Raises:
            InputError: The state is damaged.
        """
        try:
            state = torch.load(self.state, map_location="cpu", weights_only=True)
            return int(state["global_step"])
        except (RuntimeError, EOFError, UnpicklingError, KeyError) as error:
            raise InputError(f"resume: {self.state} is damaged ({type(error).__name__})") from error


def described(config: Any) -> dict[str, Any]:
    """Options as plain values; where the type leaves a choice, with the class that was chosen."""
    hints = get_type_hints(type(config))
    options: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if not is_dataclass(value):
            options[field.name] = value
        elif type(value) is hints[field.name]:
            options[field.name] = described(value)
        else:
            kind = type(value)
            path = f"{kind.__module__}.{kind.__qualname__}"
            options[field.name] = {"class_path": path, "init_args": described(value)}
    return options


def _as_yaml(config: Any) -> str:
    """Options as they are saved; tuples become lists."""
    return yaml.safe_dump(_plain(described(config)), sort_keys=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _flat(options: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names, as the command line takes them, and values."""
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, prefix if name == "init_args" else f"{prefix}{name}.")
        else:
            yield prefix + name, value
