"""From command line and YAML to a frozen configuration."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar

from jsonargparse import ArgumentParser, set_parsing_settings

from worldmodel.commands.choices import CHOICES
from worldmodel.commands.normal_form import normal_form, options_of
from worldmodel.errors import InputError
from worldmodel.settings import as_yaml

_UNKNOWN = re.compile(r"(?:[Oo]ption '|unrecognized arguments: --|Key ')([\w.]+)")
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

set_parsing_settings(subclasses_enabled=[*CHOICES])


def parse(
    kind: type[Config],
    command: str,
    arguments: Sequence[str],
    leading: Sequence[str] = (),
    known: Mapping[str, Any] | None = None,
    beside: Mapping[str, str] | None = None,
) -> Config:
    """Read a configuration from arguments; later values win.

    `--config` takes YAML files and names of shipped ones. `--flag` alone means `--flag true`, one
    value does for a list, several may follow each other, and what is chosen by name may be written
    in any case.

    Args:
        kind: A frozen dataclass; nested ones become dotted options.
        command: Name of the command, for the help.
        arguments: What followed the command.
        leading: Options whose values may come first, without their names.
        known: Options that are known without them, as a configuration file holds them.
        beside: Options of the command that are no field, and their help; see `taken`.

    Raises:
        InputError: An option is unknown (the nearest known one is named), of the wrong type, out
            of range or missing, or a file is.
    """
    parser = _parser(kind, command, leading, beside or {})
    try:
        first = ["--config", as_yaml(known)] if known else []
        given = normal_form(with_leading(arguments, *leading), kind)
        namespace = parser.parse_args([*first, *given], defaults=False)
        values = parser.instantiate(namespace)
    except ArgumentError as error:
        raise InputError(_explained(str(error), kind)) from error
    except ValueError as error:
        if isinstance(error.__cause__, InputError):  # an optional record refused its options
            raise error.__cause__ from error
        raise
    names = [field.name for field in fields(kind) if field.name in values]  # pyright: ignore
    return kind(**{name: values[name] for name in names})


def peek(
    kind: type, command: str, arguments: Sequence[str], leading: Sequence[str], *names: str
) -> dict[str, Any]:
    """Values of some options, if they are given, before anything is made of them; see `parse`.

    Raises:
        InputError: What `parse` refuses at first sight.
    """
    parser = _parser(kind, command, leading, {})
    try:
        given = normal_form(with_leading(arguments, *leading), kind)
        namespace = parser.parse_args(list(given), defaults=False)
    except ArgumentError as error:
        raise InputError(_explained(str(error), kind)) from error
    return {name: namespace[name] for name in names if name in namespace}


def _parser(
    kind: type, command: str, leading: Sequence[str], beside: Mapping[str, str]
) -> ArgumentParser:
    parser = ArgumentParser(
        prog=f"worldmodel {command}",
        usage=" ".join(["%(prog)s", *map(str.upper, leading), "[options]"]),
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML file; see the shipped ones by name")
    for name, text in beside.items():
        parser.add_argument(f"--{name}", help=text)
    parser.add_class_arguments(kind)
    return parser


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


def _explained(message: str, kind: type) -> str:
    """One line, with the known option that is nearest to an unknown one."""
    sentence = " ".join(message.split())
    for theirs, ours in _WORDING:
        sentence = theirs.sub(ours, sentence)
    if unknown := _UNKNOWN.search(sentence):
        nearest = _nearest(unknown[1], [name for name, _ in options_of(kind)])
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
