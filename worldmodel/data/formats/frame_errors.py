"""Errors that say which frames of which recording they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from worldmodel.data.recording import View
from worldmodel.errors import InputError


@contextmanager
def naming(view: View, steps: range) -> Iterator[None]:
    """Add the recording, whose name begins with that of its file, and frames to an `InputError`."""
    try:
        yield
    except InputError as error:
        reason = str(error).removeprefix(f"{view.file}: ")
        raise InputError(
            f"{view.name}: frames {steps.start} to {steps.stop - 1}: {reason}"
        ) from error
