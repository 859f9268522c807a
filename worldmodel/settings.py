"""The options of a command as plain values, and where two sets of them differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml


def described(config: Any) -> dict[str, Any]:
    """Options of a dataclass; where a type leaves a choice, with the class that was chosen."""
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


def plain(settings: Any) -> dict[str, Any]:
    """A dataclass or a mapping as YAML holds it: tuples are lists, paths are text."""
    options = settings if isinstance(settings, Mapping) else described(settings)
    return _plain(options)


def as_yaml(settings: Any) -> str:
    """A dataclass or a mapping as YAML, as `--config` takes it."""
    return yaml.safe_dump(plain(settings), sort_keys=False)


def dotted(settings: Any) -> dict[str, Any]:
    """Values under their dotted names, as the command line takes them."""
    return dict(_flat(plain(settings)))


def differences(
    then: Mapping[str, Any], now: Mapping[str, Any], free: Collection[str] = ()
) -> list[str]:
    """Every option that differs, by dotted name, with both values; `free` ones may."""
    return [
        f"{name} was {then.get(name)} and is {now.get(name)}"
        for name in sorted({*then, *now}.difference(free))
        if then.get(name) != now.get(name)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value, prefix if name == "init_args" else f"{prefix}{name}.")
        else:
            yield prefix + name, value
