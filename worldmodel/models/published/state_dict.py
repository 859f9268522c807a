"""Weights out of a file, without executing anything in it."""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from worldmodel.errors import InputError

_INSIDE = ("net_param", "state_dict")
"""Keys under which thuml's files, and Lightning's and MoDeRNN's, hold the state dict."""

_PREFIXES = ("model.", "module.")
"""What Lightning and data parallel training put before every name."""

_INERT: list[Any] = [
    (dict, "lightning.fabric.utilities.data.AttributeDict"),
    (dict, "lightning_fabric.utilities.data.AttributeDict"),
    (dict, "pytorch_lightning.utilities.parsing.AttributeDict"),
    Namespace,
]
"""Records of options that Lightning stores beside the weights, and what they are read as."""

_DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
)
"""What torch's reader and unpickler raise at a file that is cut or no file of tensors."""


def read_state_dict(path: Path | str) -> dict[str, Tensor]:
    """Tensors by name from a `.pth`, `.pt`, `.ckpt` or `.safetensors` file.

    Raises:
        InputError: The file is missing, damaged, holds something other than tensors and plain
            records, or no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for key in _INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    weights = _tensors(path, content)
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: damaged file of weights ({error})") from error


def _read_torch(path: Path) -> Any:
    with safe_globals(_INERT), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, on the pickle protocol of foreign files
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except _DAMAGE as error:
            foreign = _foreign(path)
            if not foreign:
                kind = type(error).__name__  # torch's own words advise against weights_only
                raise InputError(f"{path}: damaged, or no file of weights ({kind})") from error
            raise InputError(
                f"{path}: expected tensors and plain records, but loading would run "
                f"{', '.join(foreign)}; save the state dict alone where you trust the file"
            ) from error


def _foreign(path: Path) -> list[str]:
    """Names that a file would have Python import; none if it cannot even tell."""
    try:
        return sorted(get_unsafe_globals_in_checkpoint(path))
    except _DAMAGE:
        return []


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: expected a state dict, got {type(content).__name__}")
    foreign = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if foreign or not content:
        raise InputError(
            f"{path}: expected tensors by name, got entries that are none: "
            f"{', '.join(foreign[:5]) or 'nothing at all'}"
        )
    weights = {str(name): value for name, value in content.items()}
    damaged = [name for name, value in weights.items() if not value.isfinite().all()]
    if damaged:
        raise InputError(f"{path}: not a finite number in {', '.join(damaged[:5])}")
    return weights
