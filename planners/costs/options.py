"""What the options of costs must be."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from worldmodel.errors import InputError


def check_whole(least: int, options: object, *names: str) -> None:
    """Refuse what is no whole number, or too small.

    Raises:
        InputError: Names the option, its least value and what it is.
    """
    kind = type(options).__name__
    for name in names:
        value = getattr(options, name)
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise InputError(f"{kind}.{name}: expected a whole number, got {value!r:.80}")
        if int(value) < least:
            raise InputError(f"{kind}.{name}: expected at least {least}, got {value}")


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, NumPy's included."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a real number, NumPy's included; NaN and infinity are."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_listed(values: Any) -> bool:
    """Whether it is a list or a tuple."""
    return isinstance(values, Sequence) and not isinstance(values, (str, bytes))
