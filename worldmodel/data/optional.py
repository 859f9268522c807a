"""Libraries that only some formats need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from worldmodel.errors import InputError


def library(module: str, extra: str = "worldmodel[logs]") -> Any:
    """A module of a library that may be missing.

    Args:
        module: Its full name.
        extra: What to `pip install` for it.

    Raises:
        InputError: It is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"this format needs more packages ({error}): pip install '{extra}'"
        ) from error
