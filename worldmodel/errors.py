"""The one exception for what a user can mend: a wrong path, file, shape, unit or option."""

from __future__ import annotations

from typing import get_args


class InputError(ValueError):
    """Bad input, told in one sentence: what was expected, what came, what is available.

    The command line prints the sentence and exits with status 2.
    """


class UnavailableError(InputError):
    """What is missing may be there the next time: a file could not be fetched."""


def check_at_least(least: float, options: object, *names: str) -> None:
    """Refuse options that are too small.

    Raises:
        InputError: Names the option, its least value and what it is.
    """
    for name in names:
        value = getattr(options, name)
        if not value >= least:
            raise InputError(
                f"{type(options).__name__}.{name}: expected at least {least:g}, got {value}"
            )


def check_one_of(options: object, name: str, choices: object) -> None:
    """Refuse an option that is none of the values of a `Literal`.

    Raises:
        InputError: Names the option, its values and what it is.
    """
    value, known = getattr(options, name), get_args(choices)
    if value not in known:
        raise InputError(
            f"{type(options).__name__}.{name}: expected one of {', '.join(known)}, got {value}"
        )


def check_odd(options: object, *names: str) -> None:
    """Refuse sides of kernels that have no middle.

    Raises:
        InputError: Names the option and what it is.
    """
    check_at_least(1, options, *names)
    for name in names:
        value = getattr(options, name)
        if value % 2 == 0:
            raise InputError(
                f"{type(options).__name__}.{name}: expected an odd number, got {value}"
            )
