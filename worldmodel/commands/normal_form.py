"""Arguments and configuration files in the one form that is parsed.

A user may write what is chosen by name in any case, one value where a list is expected, several
values after an option, and the name of a shipped configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from worldmodel.commands.choices import CHOICES, class_path
from worldmodel.errors import InputError
from worldmodel.settings import as_yaml

CONFIGS = Path(__file__).parent.parent / "configs"
"""Folder of the configurations that ship with the package."""


def normal_form(arguments: Sequence[str], kind: type) -> Iterator[str]:
    """Arguments for a parser of the dataclass `kind`.

    Raises:
        InputError: A name or a file is unknown, or a file holds no options.
    """
    hints: dict[str, list[Any]] = {}
    for name, hint in options_of(kind):
        hints.setdefault(name, []).append(hint)
    for option, values in _grouped(arguments):
        name = option.removeprefix("--")
        if not option:
            yield from values
        elif option == "--config" and values:
            yield f"--config={_file(values[0], kind)}"
            yield from values[1:]
        elif values and (choice := _choice(hints.get(name.removesuffix(".help"), []))):
            yield from _of_choice(name, values, choice)
        elif values:
            yield from _with_values(name, values, hints.get(name, []))
        else:
            yield f"{option}=true" if bool in hints.get(name, ()) else option


def options_of(kind: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and types of all options of a dataclass, those of every choice included."""
    for name, hint in _hints(kind).items():
        yield prefix + name, hint
        for choice in CHOICES[hint].kinds if hint in CHOICES else [hint]:
            if is_dataclass(choice):
                yield from options_of(choice, f"{prefix}{name}.")  # pyright: ignore


def _grouped(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Options and the values that follow them; first the values that follow none."""
    option, values = "", list[str]()
    for argument in arguments:
        if not argument.startswith("--"):
            values.append(argument)
            continue
        yield option, values
        option, equals, value = argument.partition("=")
        values = [value] if equals else []
    yield option, values


def _with_values(name: str, values: list[str], hints: Sequence[Any]) -> Iterator[str]:
    """One option; what is one value too many follows it, to be refused there."""
    value, *more = values
    if _are_list(values, hints):
        quoted = json.dumps if _item(hints[0]) is str else str
        value, more = f"[{', '.join(map(quoted, values))}]", []
    yield f"--{name}={value}"
    yield from more


def _of_choice(name: str, values: list[str], choice: type) -> Iterator[str]:
    """An option that is chosen by name, or `--OPTION.help` on one of its choices."""
    value, *more = values
    if name.endswith(".help"):
        yield f"--{name}={CHOICES[choice].find(value, name)['class_path']}"
    else:
        given = yaml.safe_load(value) if value.startswith("{") else value
        yield f"--{name}={json.dumps(_normal(given, choice, name))}"
    yield from more


def _choice(hints: Sequence[Any]) -> type | None:
    return next((hint for hint in hints if hint in CHOICES), None)


def _are_list(values: Sequence[str], hints: Sequence[Any]) -> bool:
    """Whether the values of an option are items of a list, of all types that it may have."""
    if not hints or values[0].startswith("[") or any(_item(hint) is None for hint in hints):
        return False
    return len(values) > 1 or not any(map(_is_union, hints))


def _normal(value: Any, hint: Any, option: str) -> Any:
    """The value of an option in a file."""
    if hint in CHOICES:
        return _chosen(value, hint, option)
    if is_dataclass(hint) and isinstance(value, dict):
        return _normal_fields(value, hint, option)  # pyright: ignore[reportArgumentType]
    is_list = _item(hint) is not None and not _is_union(hint)
    return [value] if is_list and isinstance(value, (str, int, float)) else value


def _normal_fields(values: Mapping[str, Any], kind: type, prefix: str = "") -> dict[str, Any]:
    hints = _hints(kind)
    return {
        name: _normal(value, hints.get(name), f"{prefix}.{name}" if prefix else name)
        for name, value in values.items()
    }


def _chosen(value: Any, hint: type, option: str) -> Any:
    """What was chosen by name, alone or with changes, as its class and arguments."""
    choice = CHOICES[hint]
    if isinstance(value, str):
        return choice.find(value, option)
    if not isinstance(value, dict) or not {"name", "class_path"} & value.keys():
        return value
    if "name" in value:
        found = choice.find(str(value["name"]), option)
        changes = {key: item for key, item in value.items() if key != "name"}
    else:
        found = choice.find(str(value["class_path"]), option)
        changes = value.get("init_args") or {}
    kind = next(kind for kind in choice.kinds if class_path(kind) == found["class_path"])
    changes = _normal_fields(changes, kind, option)
    return found | {"init_args": found.get("init_args", {}) | changes}


def _file(name: str, kind: type) -> str:
    """A configuration file, or a shipped one by its name, as YAML."""
    path = _shipped(name)
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"config: expected YAML, got {path} ({reason})") from error
    if not isinstance(values, dict):
        raise InputError(f"config: expected options by name in {path}, got {values!r:.50}")
    return as_yaml(_normal_fields(values, kind))


def _shipped(name: str) -> Path:
    available = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    if Path(name).is_file():
        return Path(name)
    if name.removesuffix(".yaml") in available:
        return available[name.removesuffix(".yaml")]
    raise InputError(
        f"config: no file {name}, and no shipped configuration of that name; "
        f"available: {', '.join(available)}"
    )


def _hints(kind: type) -> dict[str, Any]:
    """Types of the fields of a dataclass; of an optional one without None."""
    hints = get_type_hints(kind)
    return {field.name: _without_none(hints[field.name]) for field in fields(kind)}  # pyright: ignore


def _without_none(hint: Any) -> Any:
    """The one other type of an optional one; any other hint as it is."""
    others = [kind for kind in get_args(hint) if kind is not NoneType]
    return others[0] if len(others) == 1 and NoneType in get_args(hint) else hint


def _item(hint: Any) -> Any:
    """Type of the items if an option may be a list, None if it may not."""
    alternatives = get_args(hint) if _is_union(hint) else (hint,)
    lists = [kind for kind in alternatives if get_origin(kind) in (list, tuple)]
    return get_args(lists[0])[0] if lists else None


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)
