"""Which recordings train, validate and test."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, final

from worldmodel.data.clips.windows import Span
from worldmodel.data.recording import Part, Recording
from worldmodel.data.source import Source
from worldmodel.errors import InputError

PARTS: tuple[Part, ...] = ("train", "validation", "test")


class Portion(NamedTuple):
    """A recording, or some of its frames.

    Attributes:
        name: Of the recording; all its cameras go together.
        start: First frame.
        stop: Frame to end before; None for the end of the recording.
    """

    name: str
    start: int = 0
    stop: int | None = None


@final
@dataclass(frozen=True)
class Split:
    """The recordings of each part; a plain name stands for all of a recording.

    Raises:
        InputError: Two parts share a frame.
    """

    train: tuple[str | Portion, ...]
    validation: tuple[str | Portion, ...]
    test: tuple[str | Portion, ...]

    def __post_init__(self) -> None:
        portions = sorted(
            (_portion(item) for part in PARTS for item in getattr(self, part)),
            key=lambda portion: (portion.name, portion.start),
        )
        for one, other in pairwise(portions):
            if one.name == other.name and (one.stop is None or other.start < one.stop):
                raise InputError(
                    f"expected each recording in one part of the split, {one.name} is in two"
                )

    def spans(self, source: Source, part: Part) -> list[Span]:
        """What a part takes of the views of a source.

        Raises:
            InputError: The source lacks a recording of the part.
        """
        wanted: dict[str, list[Portion]] = {}
        for portion in map(_portion, getattr(self, part)):
            wanted.setdefault(portion.name, []).append(portion)
        names = {recording.name for recording in source.recordings}
        if missing := sorted(set(wanted).difference(names)):
            raise InputError(
                f"{len(missing)} of {len(wanted)} {part} recordings are not among the "
                f"{len(names)} of the source, first {missing[0]}"
            )
        return [
            Span(index, portion.start, min(camera.length, portion.stop or camera.length))
            for index, (recording, camera) in enumerate(source.views)
            for portion in wanted.get(recording.name, ())
        ]

    @classmethod
    def joined(cls, splits: Sequence[Split]) -> Split:
        """The parts of several data sets together."""
        return cls(
            *(tuple(item for split in splits for item in getattr(split, part)) for part in PARTS)
        )

    @property
    def sha256(self) -> str:
        """Digest of the three lists."""
        return hashlib.sha256(json.dumps(self._lists()).encode()).hexdigest()

    def _lists(self) -> dict[str, Any]:
        return {part: list(getattr(self, part)) for part in PARTS}

    def save(self, path: Path | str) -> None:
        """Write the lists and their digest as JSON."""
        Path(path).write_text(json.dumps(self._lists() | {"sha256": self.sha256}, indent=1) + "\n")


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


def split_by_time(
    recordings: Sequence[Recording], validation: float = 0.1, test: float = 0.1
) -> Split:
    """The earliest frames train, later ones validate, the latest test.

    A recording in which a part ends is cut there, so that no frame is in two parts.

    Raises:
        InputError: A recording does not say when it was made, or the fractions leave nothing to
            train on.
    """
    if unknown := sorted(each.name for each in recordings if math.isnan(each.start)):
        raise InputError(
            f"split by time: expected times, {len(unknown)} recordings have none, "
            f"first {unknown[0]}"
        )
    in_time = sorted(recordings, key=lambda recording: (recording.start, recording.name))
    lengths = {recording.name: recording.length for recording in in_time}
    total = sum(lengths.values())
    if min(validation, test) < 0 or validation + test >= 1:
        raise InputError(
            f"expected fractions that leave recordings to train on, got validation {validation:g} "
            f"and test {test:g}"
        )
    first_test = total - round(total * test)
    first_validation = first_test - round(total * validation)
    bounds = (0, first_validation), (first_validation, first_test), (first_test, total)
    return Split(*(tuple(_between(lengths, *bound)) for bound in bounds))


def split_by_domain(
    recordings: Sequence[Recording],
    validation: Collection[str],
    test: Collection[str],
    fraction: float = 0.1,
) -> Split:
    """Whole domains for validation and test; the others train.

    Args:
        recordings: All of them.
        validation: Names of domains; if empty, a fraction of the other recordings is taken.
        test: Names of domains.
        fraction: Of the recordings, for validation without domains of its own.

    Raises:
        InputError: A domain does not exist, or none is left to train on.
    """
    available = sorted({recording.domain for recording in recordings})
    if unknown := sorted({*validation, *test}.difference(available)):
        raise InputError(
            f"split by domain: there is no domain {unknown[0]}; available: {', '.join(available)}"
        )
    split = _of_parts({r.name: _part_of(r.domain, validation, test) for r in recordings})
    if validation:
        return split
    rest = split_by_hash(map(str, split.train), fraction, 0)
    return Split(rest.train, rest.validation, split.test)


def split_as_published(
    recordings: Sequence[Recording], validation: float = 0.1, test: float = 0.1
) -> Split:
    """The parts that the publishers of the recordings made.

    Where they made no validation or test part, it is taken from the training part by a hash of the
    names.

    Raises:
        InputError: They made none at all.
    """
    parts: dict[str, Part] = {each.name: each.part for each in recordings if each.part}
    if len(parts) < len(recordings):
        raise InputError("split as published: some recordings belong to no published part")
    published = _of_parts(parts)
    rest = split_by_hash(
        map(str, published.train),
        0 if published.validation else validation,
        0 if published.test else test,
    )
    return Split(rest.train, published.validation or rest.validation, published.test or rest.test)


def split_by_list(names: Iterable[str], tests: Collection[str], validation: float = 0.1) -> Split:
    """The listed recordings test; of the others, some validate by a hash of their names.

    Args:
        names: Of all recordings.
        tests: Names of the test recordings, with or without their folders.
        validation: Fraction of the others.

    Raises:
        InputError: A listed recording does not exist.
    """
    known = sorted(set(names))
    listed = {name for name in known if name in tests or name.rpartition("/")[2] in tests}
    found = listed | {name.rpartition("/")[2] for name in listed}
    if missing := sorted(set(tests).difference(found)):
        raise InputError(
            f"{len(missing)} of {len(tests)} listed recordings are not among the {len(known)} "
            f"of the source, first {missing[0]}"
        )
    rest = split_by_hash((name for name in known if name not in listed), validation, 0)
    return Split(rest.train, rest.validation, tuple(sorted(listed)))


def load_split(path: Path | str) -> Split:
    """Read what `Split.save` wrote.

    Raises:
        InputError: Not such a file, or its lists do not match its digest.
    """
    try:
        content = json.loads(Path(path).read_text())
        split = Split(*(tuple(map(_item, content[part])) for part in PARTS))
        digest = content["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected JSON with train, validation, test and sha256 ({error!r})"
        ) from error
    if digest != split.sha256:
        raise InputError(f"{path}: the lists have digest {split.sha256}, the file says {digest}")
    return split


def _portion(item: str | Portion) -> Portion:
    return Portion(item) if isinstance(item, str) else item


def _item(stored: str | Sequence[Any]) -> str | Portion:
    return stored if isinstance(stored, str) else Portion(*stored)


def _between(lengths: dict[str, int], first: int, last: int) -> Iterable[str | Portion]:
    """What lies between two frames, counted over all recordings one after the other."""
    begin = 0
    for name, length in lengths.items():
        start, stop = max(0, first - begin), min(length, last - begin)
        if (start, stop) == (0, length):
            yield name
        elif start < stop:
            yield Portion(name, start, stop)
        begin += length


def _part_of(domain: str, validation: Collection[str], test: Collection[str]) -> Part:
    return "test" if domain in test else "validation" if domain in validation else "train"


def _of_parts(parts: dict[str, Part]) -> Split:
    split = Split(*(tuple(sorted(n for n, own in parts.items() if own == part)) for part in PARTS))
    if not split.train:
        raise InputError(f"expected recordings to train on, got none among {len(parts)}")
    return split


def _uniform(name: str) -> float:
    """A number in [0, 1) that depends on the name only."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def _count(ordered: list[str], fraction: float, least: int) -> int:
    return max(least, sum(_uniform(name) < fraction for name in ordered))
