"""SEVIR: storms over the United States, four hours each, as vertically integrated liquid.

Follows the publishers' tutorial, https://github.com/MIT-AI-Accelerator/eie-sevir, and the parts of
https://github.com/amazon-science/earth-forecasting-transformer; `vil` is what is read. Copies of
lower resolution in the same layout (SEVIR-LR) are read as well.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple, final

import h5py
import numpy as np

from worldmodel.data.files.folder import Folder, Stamp
from worldmodel.data.files.hdf5 import check_stored, find_dataset, opened, read_all
from worldmodel.data.format import Format
from worldmodel.data.formats.radar.rain import LIQUID
from worldmodel.data.reader import ActionFree, Unit, check_any
from worldmodel.data.recording import Camera, Flaw, Frames, Part, Recording
from worldmodel.errors import InputError, located

CATALOGUE = "CATALOG.csv"

MISSING = 255
"""Byte where nothing was measured."""

EVENT_SECONDS = 4 * 3600
"""From the first frame of an event to its last: 49 frames every 5 minutes."""

FIRST_VALIDATION = datetime(2019, 1, 1, tzinfo=UTC).timestamp()
"""Up to then events train; Earthformer's choice, SEVIR's publishers made no validation part."""

FIRST_TEST = datetime(2019, 6, 1, tzinfo=UTC).timestamp()
"""Later events test, as in the publishers' paper."""

_FILE = re.compile(r"SEVIR_VIL_.*\.h5", re.IGNORECASE)
_COLUMNS = ("id", "file_name", "file_index", "img_type", "time_utc", "event_type")
_KINDS = {"R": "random", "S": "storm"}


class _Entry(NamedTuple):
    """A row of the catalogue, as it is written."""

    event: str
    time: str
    offsets: str
    kind: str
    percent_missing: str


_Catalogue = Mapping[str, Mapping[str, _Entry]]
"""By the name of the file, without its folders, and the index in it."""


@final
class SEVIR(ActionFree):
    """HDF5 files `SEVIR_VIL_*.h5` in a folder and below it, and their `CATALOG.csv` if it is there.

    Without the catalogue, or where it does not list an event, times, parts and kinds of storm are
    unknown.
    """

    timed = True
    quantity = LIQUID.quantity

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a file of that name."""
        return bool(_files(folder))

    def units(self) -> Iterator[Unit]:
        """The catalogue, then one per file."""
        files = _files(self.folder)
        check_any(self.folder, files, "SEVIR_VIL_*.h5 files")
        catalogues = self.folder.named(CATALOGUE)
        yield from (Unit(name, (name, *files)) for name in catalogues)
        yield from (Unit(file, (file, *(catalogues or [CATALOGUE]))) for file in files)

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per event; of the catalogue, the listed files that are not there."""
        if unit.name in self.folder.named(CATALOGUE):
            there = {PurePosixPath(file).name for file in _files(self.folder)}
            for file in sorted(set(self._catalogue(unit.name)) - there):
                yield Flaw(file, "", "is in the catalogue, but not in the folder")
            return
        entries = self._entries(unit.name)
        with opened(self.folder.local(unit.name)) as file:
            vil, names = _vil(file), _names(file)
        if len(names) != vil[0]:
            raise InputError(f"expected one id per event, got {len(names)} for {vil[0]} events")
        for index, name in enumerate(names):
            try:
                if name in names[:index]:
                    raise InputError("its id comes twice in the file")
                yield _recording(unit.name, name, index, vil, entries.get(str(index)))
            except InputError as error:
                yield Flaw.of(error, unit.name, f"{unit.name}/{name}")

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Read some frames; what is missing is 0."""
        index, path = recording.place["index"], self.folder.local(recording.file)
        with located(frame=steps), opened(path) as file:
            stored = find_dataset(file, "vil")[index, :, :, steps.start : steps.stop]
        pixels = np.moveaxis(stored, 2, 0)[..., None].copy()
        missing = pixels[..., 0] == MISSING
        pixels[missing] = 0
        return Frames(pixels, missing)

    def _catalogue(self, name: str) -> _Catalogue:
        return _read_catalogue(self.folder.local(name), self.folder.files[name])

    def _entries(self, file: str) -> Mapping[str, _Entry]:
        """What the catalogue says of the events of a file; nothing if it is damaged."""
        for name in self.folder.named(CATALOGUE):
            try:
                return self._catalogue(name).get(PurePosixPath(file).name, {})
            except InputError:
                continue
        return {}


def _files(folder: Folder) -> list[str]:
    return [file for file in folder.files if _FILE.fullmatch(PurePosixPath(file).name)]


@lru_cache(maxsize=4)
def _read_catalogue(path: Path, stamp: Stamp) -> _Catalogue:
    files: dict[str, dict[str, _Entry]] = {}
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.DictReader(file, restval="")
            if absent := set(_COLUMNS).difference(rows.fieldnames or ()):
                raise InputError(f"the catalogue has no columns {sorted(absent)}")
            for row in rows:
                if row["img_type"] == "vil":
                    name = PurePosixPath(row["file_name"]).name
                    files.setdefault(name, {})[row["file_index"]] = _entry(row)
    except (OSError, csv.Error) as error:
        raise InputError(f"no readable catalogue ({error})") from error
    return files


def _entry(row: Mapping[str, str]) -> _Entry:
    return _Entry(
        row["id"],
        row["time_utc"],
        row.get("minute_offsets", ""),
        row["event_type"],
        row.get("pct_missing", ""),
    )


def _vil(file: h5py.File) -> tuple[int, int, int, int]:
    """Events, height, width and frames of each; all of them are in the file."""
    vil = find_dataset(file, "vil")
    if vil.ndim != 4 or vil.dtype != np.uint8:
        raise InputError(f"expected 'vil' to be uint8 (N, H, W, T), got {vil.dtype} {vil.shape}")
    check_stored(vil)
    events, height, width, length = vil.shape
    return events, height, width, length


def _names(file: h5py.File) -> list[str]:
    ids = find_dataset(file, "id")
    if ids.ndim != 1 or h5py.check_string_dtype(ids.dtype) is None:
        raise InputError(f"expected 'id' to be text (N,), got {ids.dtype} {ids.shape}")
    return [name.decode(errors="replace").rstrip("\0") for name in read_all(ids)]


def _recording(
    file: str, name: str, index: int, vil: tuple[int, int, int, int], entry: _Entry | None
) -> Recording:
    _, height, width, length = vil
    start, part = (math.nan, "") if entry is None else _times(name, entry)
    kind = entry.kind if entry else ""
    camera = Camera("", length, height, width, channels=1, fps=(length - 1) / EVENT_SECONDS)
    return Recording(
        name=f"{file}/{name}",
        file=file,
        cameras=(camera,),
        domain=kind or _KINDS.get(name[:1], "unknown"),
        part=part,
        start=start,
        place={"index": index},
    )


def _times(name: str, entry: _Entry) -> tuple[float, Part]:
    """Start of an event, and its part, which goes by the time of its middle."""
    if entry.event != name:
        raise InputError("the catalogue lists another event in its place")
    try:
        middle = datetime.fromisoformat(entry.time).replace(tzinfo=UTC).timestamp()
        first = float(entry.offsets.split(":")[0] or -EVENT_SECONDS / 120)
        percent = float(entry.percent_missing or 0)
    except ValueError as error:
        raise InputError("the catalogue gives no readable time or share of missing") from error
    if not math.isfinite(first):
        raise InputError("the catalogue gives no readable time or share of missing")
    if percent >= 100:
        raise InputError("nothing was measured, says the catalogue")
    late = middle > FIRST_TEST
    return middle + 60 * first, (
        "test" if late else "validation" if middle > FIRST_VALIDATION else "train"
    )


FORMAT = Format("sevir", "SEVIR", SEVIR)
