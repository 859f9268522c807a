"""From command line and YAML to a frozen configuration."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from jsonargparse import ArgumentParser, set_parsing_settings

from worldmodel.data.generators import GENERATORS, Generator
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig
from worldmodel.models.architectures import ARCHITECTURES
from worldmodel.models.stack import StackConfig
from worldmodel.settings import as_yaml
from worldmodel.training.curriculum import (
    Curriculum,
    ReverseScheduledSampling,
    ScheduledSampling,
)

CONFIGS = Path(__file__).parent.parent / "configs"
"""Folder of the configurations that ship with the package."""

_CHOICES: dict[type, tuple[type, ...]] = {
    ModelConfig: tuple(ARCHITECTURES.values()),
    StackConfig: tuple(kind for kind in ARCHITECTURES.values() if issubclass(kind, StackConfig)),
    Curriculum: (ScheduledSampling, ReverseScheduledSampling),
    Generator: GENERATORS,
}
_UNKNOWN = re.compile(r"(?:[Oo]ption '|unrecognized arguments: --|Key ')([\w.]+)")
_UNKNOWN_CLASS = re.compile(r"(\w+): expected dot import path string: ")
_WORDING = (
    (re.compile(r'Parser key "([\w.]+)": '), r"\1: "),
    (re.compile(r"Problem with given class_path '(?:\w+\.)*(\w+)': "), r"\1: "),
    (re.compile(r"Expected an? "), "expected "),
    (re.compile(r"<class '(?:\w+\.)*(\w+)'>"), r"\1"),
    (re.compile(r"typing\.Literal"), "one of "),
    (re.compile(r"\. Got value: "), ", got "),
    (re.compile(r"Does not validate .*? Errors: - (.*?) - expected NoneType.*"), r"\1"),
)
"""From jsonargparse's sentences to ours."""

Config = TypeVar("Config")

set_parsing_settings(subclasses_enabled=[*_CHOICES])


def parse(
    kind: type[Config],
    command: str,
    arguments: Sequence[str],
    known: Mapping[str, Any] | None = None,
    beside: Mapping[str, str] | None = None,
) -> Config:
    """Read a configuration from arguments; later values win.

    `--config` takes YAML files and names of shipped ones; `--flag` alone means `--flag true`.

    Args:
        kind: A frozen dataclass; nested ones become dotted options.
        command: Name of the command, for the help.
        arguments: What followed the command.
        known: Options that are known without them, as a configuration file holds them.
        beside: Options of the command that are no field, and their help; see `taken`.

    Raises:
        InputError: An option is unknown (the nearest known one is named), of the wrong type, out
            of range or missing, or a file is.
    """
    parser = ArgumentParser(prog=f"worldmodel {command}", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--config", action="config", help="YAML file; see the shipped ones by name")
    for name, text in (beside or {}).items():
        parser.add_argument(f"--{name}", help=text)
    parser.add_class_arguments(kind)
    try:
        namespace = parser.parse_args(
            [*_first(known), *_with_shipped_configs(_with_flags(arguments, kind))], defaults=False
        )
        values = parser.instantiate(namespace)
    except ArgumentError as error:
        raise InputError(_explained(str(error), kind)) from error
    given = [field.name for field in fields(kind) if field.name in values]  # pyright: ignore
    return kind(**{name: values[name] for name in given})


def taken(name: str, arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of one option and the arguments without it.

    Raises:
        InputError: The value is missing.
    """
    rest = list(arguments)
    for index, argument in enumerate(rest):
        if argument.startswith(f"--{name}="):
            return rest.pop(index).partition("=")[2], rest
        if argument == f"--{name}":
            if index + 1 == len(rest) or rest[index + 1].startswith("--"):
                raise InputError(f"{name}: expected a value after --{name}, got none")
            _, value = rest.pop(index), rest.pop(index)
            return value, rest
    return None, rest


def with_leading(arguments: Sequence[str], *names: str) -> list[str]:
    """Let the values of some options come first, without their names."""
    leading = 0
    while leading < min(len(names), len(arguments)) and not arguments[leading].startswith("-"):
        leading += 1
    given = zip(names, arguments[:leading], strict=False)
    return [*(f"--{name}={value}" for name, value in given), *arguments[leading:]]


def _first(known: Mapping[str, Any] | None) -> list[str]:
    return ["--config", as_yaml(known)] if known else []


def _with_flags(arguments: Sequence[str], kind: type) -> list[str]:
    """Let `--flag` without a value mean true."""
    flags = {f"--{name}" for name, hint in _options(kind) if hint is bool}
    return [
        f"{argument}=true" if argument in flags and following.startswith("--") else argument
        for argument, following in zip(arguments, [*arguments[1:], "--"], strict=False)
    ]


def _with_shipped_configs(arguments: Sequence[str]) -> list[str]:
    """Let `--config NAME` and `--config=NAME` name a shipped configuration."""
    split = [
        part
        for argument in arguments
        for part in (argument.split("=", 1) if argument.startswith("--config=") else [argument])
    ]
    return [
        _shipped(part) if before == "--config" else part
        for before, part in zip(["", *split], split, strict=False)
    ]


def _shipped(name: str) -> str:
    available = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    if Path(name).is_file():
        return name
    if name.removesuffix(".yaml") in available:
        return str(available[name.removesuffix(".yaml")])
    raise InputError(
        f"config: no file {name}, and no shipped configuration of that name; "
        f"available: {', '.join(available)}"
    )


def _explained(message: str, kind: type) -> str:
    """One line, with the known option that is nearest to an unknown one."""
    sentence = " ".join(message.split())
    for theirs, ours in _WORDING:
        sentence = theirs.sub(ours, sentence)
    if unknown := _UNKNOWN_CLASS.search(sentence):
        hints = {name.rpartition(".")[2]: hint for name, hint in _options(kind)}
        choices = (choice.__name__ for choice in _CHOICES[hints[unknown[1]]])
        return f"{unknown[1]}: expected {' or '.join(choices)}, got {sentence[unknown.end() :]}"
    if unknown := _UNKNOWN.search(sentence):
        nearest = _nearest(unknown[1], [name for name, _ in _options(kind)])
        return f"{sentence}; did you mean {nearest}?" if nearest else sentence
    return sentence


def _nearest(name: str, known: list[str]) -> str | None:
    """The known option of the most similar last part, and of those the one in the same group."""
    leaves = [option.rpartition(".")[2] for option in known]
    for names in (known, leaves):
        if close := get_close_matches(name.rpartition(".")[2], names, n=1):
            alike = [option for option, own in zip(known, names, strict=True) if own == close[0]]
            group = name.rpartition(".")[0]
            return max(alike, key=lambda option: option.rpartition(".")[0] == group)
    return None


def _without_none(hint: Any) -> Any:
    """The one other type of an optional one; any other hint as it is."""
    others = [kind for kind in get_args(hint) if kind is not NoneType]
    return others[0] if len(others) == 1 and NoneType in get_args(hint) else hint


def _options(kind: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and types of all options, those of every choice included."""
    hints: dict[str, Any] = get_type_hints(kind)
    for field in fields(kind):  # pyright: ignore[reportArgumentType]
        hint = _without_none(hints[field.name])
        yield prefix + field.name, hint
        for choice in _CHOICES.get(hint, (hint,)):
            if is_dataclass(choice):
                yield from _options(choice, f"{prefix}{field.name}.")  # pyright: ignore
