"""What a scan of a data set found, kept in a parquet file until the data set's files change."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, final

import pyarrow as pa
import pyarrow.parquet as pq

from worldmodel.data.files.folder import cache_folder
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.recording import Camera, Flaw, Recording
from worldmodel.errors import InputError, UnavailableError
from worldmodel.report.progress import tracked
from worldmodel.whole_file import whole_file

VERSION = 1
"""To be raised with every change of what is known of a recording, or of what all formats share."""

SAVE_EVERY = 10.0
"""Seconds of scanning that an interruption may lose."""

_TYPES: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "tuple[str, ...]": pa.list_(pa.string()),
}


def _columns(kind: type) -> list[tuple[str, pa.DataType]]:
    return [(field.name, _TYPES.get(str(field.type), pa.string())) for field in fields(kind)]


_TYPES["tuple[Camera, ...]"] = pa.list_(pa.struct(_columns(Camera)))
_HEAD = [(name, pa.string()) for name in ("unit", "stamp", "reason", "camera")]
_SCHEMA = pa.schema(_HEAD + _columns(Recording))
_log = logging.getLogger(__name__)


class Scanned(NamedTuple):
    """What is in a data set.

    Attributes:
        recordings: In the order of the reader's units.
        flaws: What cannot be used.
    """

    recordings: tuple[Recording, ...]
    flaws: tuple[Flaw, ...]


def scanned(reader: Reader) -> Scanned:
    """Scan what has changed since the last scan, with a progress bar.

    The scan can be interrupted, and goes on where it was.

    Raises:
        InputError: The folder holds nothing of the format.
    """
    units = list(reader.units())
    index = _Index(reader, {unit.name for unit in units})
    try:
        for unit in tracked(units, f"index of {reader.folder.name}"):
            index.learn(unit)
    finally:
        index.save()
    found = [finding for unit in units for finding in index.of(unit)]
    return Scanned(
        tuple(finding for finding in found if isinstance(finding, Recording)),
        tuple(finding for finding in found if isinstance(finding, Flaw)),
    )


@final
class _Index:
    def __init__(self, reader: Reader, units: set[str]) -> None:
        self._reader, self._path = reader, _path(reader)
        known = _loaded(self._path)
        self._known = {name: known[name] for name in known if name in units}
        self._changed, self._saved = False, time.monotonic()

    def learn(self, unit: Unit) -> None:
        stamp = _stamp(unit, self._reader)
        if self._known.get(unit.name, ("",))[0] == stamp:
            return
        try:
            findings = list(self._findings(unit, stamp))
        except UnavailableError as error:
            stamp, findings = "", list[Recording | Flaw]([_writable(Flaw.of(error, unit.name))])
        self._known[unit.name] = stamp, findings
        self._changed = True
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def of(self, unit: Unit) -> list[Recording | Flaw]:
        return self._known[unit.name][1]

    def save(self) -> None:
        """Write what is known, if it has changed; a place that cannot be written is told."""
        if not self._changed:
            return
        rows = [
            _row(name, stamp, finding)
            for name, (stamp, findings) in self._known.items()
            for finding in findings or [None]
        ]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as unfinished:
                pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), unfinished)
        except OSError as error:
            _log.warning("the index is not kept: %s", error)
        self._changed, self._saved = False, time.monotonic()

    def _findings(self, unit: Unit, stamp: str) -> Iterator[Recording | Flaw]:
        try:
            for finding in self._reader.scan(unit):
                if isinstance(finding, Flaw):
                    yield _writable(finding)
                else:
                    yield replace(finding, version=stamp)
        except UnavailableError:
            raise
        except InputError as error:
            yield _writable(Flaw.of(error, unit.name))


def _writable(flaw: Flaw) -> Flaw:
    """The flaw without what is no valid text, which a damaged file may hold."""
    return Flaw(*(text.encode(errors="replace").decode() for text in astuple(flaw)))


def _stamp(unit: Unit, reader: Reader) -> str:
    """Differs when a file of the unit does, or what the format makes of it."""
    stamps = [(file, reader.folder.files.get(file)) for file in unit.files]
    return hashlib.sha256(repr((reader.version, stamps)).encode()).hexdigest()[:16]


def _path(reader: Reader) -> Path:
    """One index per place and format."""
    parts = (reader.folder.where, type(reader).__module__, type(reader).__qualname__, VERSION)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return cache_folder() / "index" / f"{reader.folder.name}-{digest}.parquet"


def _loaded(path: Path) -> dict[str, tuple[str, list[Recording | Flaw]]]:
    """Findings by unit; nothing if there is no index, or it is damaged."""
    known: dict[str, tuple[str, list[Recording | Flaw]]] = {}
    if not path.exists():
        return known
    try:
        for row in pq.read_table(path, schema=_SCHEMA).to_pylist():
            unit, stamp, reason, camera = (row.pop(name) for name, _ in _HEAD)
            findings = known.setdefault(unit, (stamp, []))[1]
            if reason is not None:
                findings.append(Flaw(row["file"], row["name"], reason, camera))
            elif row["name"] is not None:
                row["cameras"] = [Camera(**_values(camera)) for camera in row["cameras"]]
                findings.append(Recording(**_values(row)))
    except (pa.ArrowException, OSError, ValueError, InputError) as error:
        _log.warning("%s: damaged index, scanning anew (%s)", path, error)
        return {}
    return known


def _row(unit: str, stamp: str, finding: Recording | Flaw | None) -> dict[str, Any]:
    """A row of the table; one without a name is of a unit in which there is nothing."""
    described: dict[str, Any] = {}
    if isinstance(finding, Flaw):
        described = asdict(finding) | {"name": finding.recording}
    elif finding is not None:
        described = _storable(finding)
        described["cameras"] = [_storable(camera) for camera in finding.cameras]
    return {"unit": unit, "stamp": stamp} | described


def _storable(record: Recording | Camera) -> dict[str, Any]:
    return vars(record) | {"place": json.dumps(record.place)}


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return values | {"place": json.loads(row["place"])}
