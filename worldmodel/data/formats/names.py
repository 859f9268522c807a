"""What the names of files say where nothing else is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal

from worldmodel.data.files.folder import Folder
from worldmodel.data.recording import Part

PARTS: Mapping[str, Part] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
"""Parts by what data sets call them."""

_PREFIX = re.compile(rf"({'|'.join(PARTS)})(?![a-z])", re.IGNORECASE)


def part(recording: str) -> Part | Literal[""]:
    """Part that a recording's top-level folder is, or that its own name begins with.

    Args:
        recording: Path relative to the data set, such as "test/a.npz" or "walk/val_3.avi".
    """
    path = PurePosixPath(recording)
    if len(path.parts) > 1 and (folder := path.parts[0].lower()) in PARTS:
        return PARTS[folder]
    prefix = _PREFIX.match(path.stem)
    return PARTS[prefix[1].lower()] if prefix else ""


def domain(folder: Folder, recording: str) -> str:
    """Folder that a recording lies in, unless that is a part or the data set itself."""
    own = PurePosixPath(recording).parent
    if own.parts and not (len(own.parts) == 1 and own.name.lower() in PARTS):
        return own.name
    return folder.name
