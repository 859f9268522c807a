"""What the options of costs must be."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, NumPy's included."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a real number, NumPy's included; NaN and infinity are."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_listed(values: Any) -> bool:
    """Whether it is a list or a tuple."""
    return isinstance(values, Sequence) and not isinstance(values, (str, bytes))
