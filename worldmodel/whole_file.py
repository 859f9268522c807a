"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worldmodel.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its name when the block succeeds, and vanishes if not.

    Raises:
        OSError: It cannot be written, or the folder does not exist.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """As `whole_file`, for what a user asked to be written; missing folders are made.

    Raises:
        InputError: It cannot be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished:
            yield unfinished
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error})") from error
