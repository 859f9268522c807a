"""What a scan of a data set found, kept in a parquet file until the data set's files change."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple, final

import pyarrow as pa
import pyarrow.parquet as pq

from worldmodel.data.code import code_digest
from worldmodel.data.files.folder import Folder, cache_folder
from worldmodel.data.optional import library
from worldmodel.data.progress import tracked
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.recording import Flaw, View
from worldmodel.data.whole_file import whole_file
from worldmodel.errors import InputError, UnavailableError

SAVE_EVERY = 10.0
"""Seconds of scanning that an interruption may lose."""

_VIEW_TYPES: dict[str, pa.DataType] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "tuple[str, ...]": pa.list_(pa.string()),
}
_SCHEMA = pa.schema(
    [
        ("unit", pa.string()),
        ("stamp", pa.string()),
        ("reason", pa.string()),
        *((field.name, _VIEW_TYPES.get(str(field.type), pa.string())) for field in fields(View)),
    ]
)
_log = logging.getLogger(__name__)


class Scanned(NamedTuple):
    """What is in a data set.

    Attributes:
        views: In the order of the reader's units.
        versions: One per view: differs when the files of its unit do.
        flaws: What cannot be used.
    """

    views: tuple[View, ...]
    versions: tuple[str, ...]
    flaws: tuple[Flaw, ...]


def scanned(reader: Reader) -> Scanned:
    """Scan what has changed since the last scan, with a progress bar.

    The scan can be interrupted, and goes on where it was.

    Raises:
        InputError: The folder holds nothing of the format, or the format needs a library that is
            not installed.
    """
    for module in reader.libraries:
        library(module)
    units = list(reader.units())
    index = _Index(reader, {unit.name for unit in units})
    try:
        for unit in tracked(units, f"index of {reader.folder.name}"):
            index.learn(unit)
    finally:
        index.save()
    found = [(finding, stamp) for unit in units for stamp, finding in index.of(unit)]
    return Scanned(
        tuple(finding for finding, _ in found if isinstance(finding, View)),
        tuple(stamp for finding, stamp in found if isinstance(finding, View)),
        tuple(finding for finding, _ in found if isinstance(finding, Flaw)),
    )


@final
class _Index:
    def __init__(self, reader: Reader, units: set[str]) -> None:
        self._reader, self._path = reader, _path(reader)
        known = _loaded(self._path)
        self._known = {name: known[name] for name in known if name in units}
        self._changed, self._saved = False, time.monotonic()

    def learn(self, unit: Unit) -> None:
        stamp = _stamp(unit, self._reader.folder)
        if self._known.get(unit.name, ("",))[0] == stamp:
            return
        findings: list[View | Flaw]
        try:
            findings = list(self._findings(unit))
        except UnavailableError as error:
            stamp, findings = "", []
            findings.append(_writable(Flaw(unit.name, "", str(error))))
        self._known[unit.name] = stamp, findings
        self._changed = True
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def of(self, unit: Unit) -> Iterator[tuple[str, View | Flaw]]:
        stamp, findings = self._known[unit.name]
        return ((stamp, finding) for finding in findings)

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

    def _findings(self, unit: Unit) -> Iterator[View | Flaw]:
        try:
            for finding in self._reader.scan(unit):
                yield _writable(finding) if isinstance(finding, Flaw) else finding
        except UnavailableError:
            raise
        except InputError as error:
            reason = str(error).replace(f"{self._reader.folder.where}/", "")
            yield _writable(Flaw(unit.name, "", reason.removeprefix(f"{unit.name}: ")))


def _writable(flaw: Flaw) -> Flaw:
    """The flaw without what is no valid text, which a damaged file may hold."""
    texts = (flaw.file, flaw.episode, flaw.reason)
    return Flaw(*(text.encode(errors="replace").decode() for text in texts))


def _stamp(unit: Unit, folder: Folder) -> str:
    stamps = [(file, folder.files.get(file)) for file in unit.files]
    return hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]


def _path(reader: Reader) -> Path:
    """One index per place, format and version of the code that scans."""
    parts = (reader.folder.where, type(reader).__name__, code_digest())
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return cache_folder() / "index" / f"{reader.folder.name}-{digest}.parquet"


def _loaded(path: Path) -> dict[str, tuple[str, list[View | Flaw]]]:
    """Findings by unit; nothing if there is no index, or it is damaged."""
    known: dict[str, tuple[str, list[View | Flaw]]] = {}
    if not path.exists():
        return known
    try:
        for row in pq.read_table(path, schema=_SCHEMA).to_pylist():
            unit, stamp, reason = (row.pop(key) for key in ("unit", "stamp", "reason"))
            findings = known.setdefault(unit, (stamp, []))[1]
            if row["name"] is not None:
                findings.append(_finding(row, reason))
    except (pa.ArrowException, OSError, ValueError, InputError) as error:
        _log.warning("%s: damaged index, scanning anew (%s)", path, error)
        return {}
    return known


def _row(unit: str, stamp: str, finding: View | Flaw | None) -> dict[str, Any]:
    """A row of the table; one without a name is of a unit in which there is nothing."""
    described: dict[str, Any] = {}
    if isinstance(finding, Flaw):
        described = {"file": finding.file, "name": finding.episode, "reason": finding.reason}
    elif finding is not None:
        described = asdict(finding) | {"place": json.dumps(finding.place)}
    return {"unit": unit, "stamp": stamp} | described


def _finding(row: dict[str, Any], reason: str | None) -> View | Flaw:
    if reason is not None:
        return Flaw(row["file"], row["name"], reason)
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return View(**(values | {"place": json.loads(row["place"])}))
