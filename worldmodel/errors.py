"""The one exception for what a user can mend: a wrong path, file, shape, unit or option."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import get_args


class InputError(ValueError):
    """Bad input, told in one sentence: what was expected, what came, what is available.

    The command line prints the sentence and exits with status 2. Where a recording is to blame, the
    sentence begins with where the damage is, as far as it is known.

    Attributes:
        reason: The sentence, without where.
        file: The file, relative to its data set; "" if it is about none.
        recording: Name of the recording; "" if it is about none.
        camera: Name of the camera; "" if it is about none, or about the only one.
        frame: Number of the frame, or of several in a row; None if it is about none.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str = "",
        recording: str = "",
        camera: str = "",
        frame: int | range | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.file, self.recording = reason, file, recording
        self.camera, self.frame = camera, frame

    def __str__(self) -> str:
        """The sentence; of file and recording, if one name is part of the other, the longer."""
        names = [self.file, self.recording]
        if self.file in self.recording or self.recording in self.file:
            names = [max(names, key=len)]
        parts = (*names, self.camera, _in_words(self.frame), self.reason)
        return ": ".join(filter(None, parts))


class UnavailableError(InputError):
    """What is missing may be there the next time: a file could not be fetched."""


@contextmanager
def located(
    file: str = "", recording: str = "", camera: str = "", frame: int | range | None = None
) -> Iterator[None]:
    """Say where, in an `InputError` that is raised inside and does not say it yet."""
    try:
        yield
    except InputError as error:
        error.file, error.recording = error.file or file, error.recording or recording
        error.camera = error.camera or camera
        error.frame = frame if error.frame is None else error.frame
        raise


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


def _in_words(frame: int | range | None) -> str:
    if isinstance(frame, range):
        return f"frames {frame.start} to {frame.stop - 1}"
    return "" if frame is None else f"frame {frame}"
