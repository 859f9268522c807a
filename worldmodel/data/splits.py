"""Which recordings train, validate and test: by a hash of their names, or by a stored list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, final

from worldmodel.data.episodes import EpisodeSource
from worldmodel.errors import InputError

Part = Literal["train", "validation", "test"]


@final
@dataclass(frozen=True)
class Split:
    """Names of the recordings of each part; all cameras of a recording go together.

    Raises:
        InputError: A recording is in two parts.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        names = (*self.train, *self.validation, *self.test)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"expected each recording in one part of the split, {twice} is in two")

    def episodes(self, source: EpisodeSource, part: Part) -> tuple[int, ...]:
        """Indices of a part's episodes in a source.

        Raises:
            InputError: The source lacks a recording of the part.
        """
        wanted = set(getattr(self, part))
        if missing := sorted(wanted.difference(source.names)):
            raise InputError(
                f"{len(missing)} of {len(wanted)} {part} recordings are not among the "
                f"{len(set(source.names))} of the source, first {missing[0]}"
            )
        return tuple(index for index, name in enumerate(source.names) if name in wanted)

    @property
    def sha256(self) -> str:
        """Digest of the three lists."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()


def split_by_hash(names: Iterable[str], validation: float = 0.1, test: float = 0.1) -> Split:
    """Split by a hash of each name, so that adding a recording moves none of the others.

    The fractions are expectations; a part with a positive fraction gets at least one recording.

    Raises:
        InputError: The fractions leave nothing to train on.
    """
    ordered = sorted(set(names), key=_uniform)
    cut_test = _count(ordered, test, 0 if test == 0 else 1)
    cut_validation = _count(ordered, test + validation, cut_test + (0 if validation == 0 else 1))
    if min(validation, test) < 0 or cut_validation >= len(ordered):
        raise InputError(
            f"expected fractions that leave recordings to train on, got validation {validation:g} "
            f"and test {test:g} of {len(ordered)} recordings"
        )
    parts = ordered[cut_validation:], ordered[cut_test:cut_validation], ordered[:cut_test]
    return Split(*(tuple(sorted(part)) for part in parts))


def save_split(split: Split, path: Path | str) -> None:
    """Write the lists and their digest as JSON."""
    Path(path).write_text(json.dumps(asdict(split) | {"sha256": split.sha256}, indent=1) + "\n")


def load_split(path: Path | str) -> Split:
    """Read what `save_split` wrote.

    Raises:
        InputError: Not such a file, or its lists do not match its digest.
    """
    try:
        content = json.loads(Path(path).read_text())
        split = Split(*(tuple(content[part]) for part in ("train", "validation", "test")))
        digest = content["sha256"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected JSON with train, validation, test and sha256 ({error!r})"
        ) from error
    if digest != split.sha256:
        raise InputError(f"{path}: the lists have digest {split.sha256}, the file says {digest}")
    return split


def _uniform(name: str) -> float:
    """A number in [0, 1) that depends on the name only."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def _count(ordered: list[str], fraction: float, least: int) -> int:
    return max(least, sum(_uniform(name) < fraction for name in ordered))
