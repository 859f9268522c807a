"""The files of a data set, on this machine or behind any URL that fsspec knows."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, final

import fsspec
from fsspec.utils import get_protocol

from worldmodel.data.recording import is_unicode
from worldmodel.errors import InputError, UnavailableError
from worldmodel.whole_file import whole_file

CONVERSION_MARK = ".conversion.yaml"
"""In a folder into which recordings are being converted, until all are there."""

_log = logging.getLogger(__name__)


class Stamp(NamedTuple):
    """What changes when a file does: its size in bytes, and its time or tag."""

    size: int
    changed: str


def cache_folder() -> Path:
    """Where indices, frames and fetched files are kept.

    `WORLDMODEL_CACHE`, else `worldmodel` in `XDG_CACHE_HOME`, else in `~/.cache`.
    """
    if chosen := os.environ.get("WORLDMODEL_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "worldmodel"


@final
class Folder:
    """A folder and all below it, or a single file, listed once.

    Names are relative to it and use `/`; what starts with a dot is left out.

    Args:
        location: Path or URL.

    Raises:
        InputError: There is nothing, or it cannot be reached.

    Attributes:
        location: As given.
        where: The same wherever the process runs: an absolute path, or the URL.
        name: Last part of the location.
        files: Size and time of each file, sorted by name.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = str(location)
        remote = get_protocol(self.location) not in ("file", "local")
        listing = _Remote(self.location) if remote else _Local(self.location)
        self._listing: _Local | _Remote = listing
        self.where = self.location if remote else str(Path(self.location).absolute())
        self.name = PurePosixPath(self.location.rstrip("/")).name or self.location
        try:
            found = sorted(listing.files())
        except Exception as error:  # each kind of file system has its own
            raise InputError(f"{self.location}: cannot be listed ({error!r})") from error
        self.files: Mapping[str, Stamp] = {name: stamp for name, stamp in found if is_unicode(name)}
        if len(self.files) < len(found):
            odd = len(found) - len(self.files)
            _log.warning("%s: left out %d files whose names are no text", self.location, odd)
        if listing.unfinished():
            raise InputError(
                f"{self.location}: holds an unfinished conversion; give the same command again"
            )
        if not self.files:
            raise InputError(
                f"{self.location}: expected a folder or a file of recordings, got none"
            )

    def named(self, *suffixes: str) -> list[str]:
        """Files whose names end so, whatever the case of letters, sorted."""
        ends = tuple(suffix.lower() for suffix in suffixes)
        return [file for file in self.files if file.lower().endswith(ends)]

    def local(self, file: str) -> Path:
        """A file on this machine, fetched first if it is behind a URL.

        Raises:
            InputError: There is no such file, or it cannot be fetched.
        """
        if file not in self.files:
            raise InputError("there is no such file", file=file)
        return self._listing.local(file, self.files[file])

    def content(self, file: str) -> bytes:
        """All of a file.

        Raises:
            InputError: It cannot be read.
        """
        try:
            return self.local(file).read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=file) from error

    def __contains__(self, file: str) -> bool:
        return file in self.files

    def __str__(self) -> str:
        return self.location


@final
class _Local:
    def __init__(self, location: str) -> None:
        path = Path(location.removeprefix("file://")).absolute()
        self._root, self._file = (path.parent, path.name) if path.is_file() else (path, None)

    def files(self) -> Iterator[tuple[str, Stamp]]:
        if self._file is not None:
            yield self._file, _stamp_of(self._root / self._file)
            return
        seen = set[tuple[int, int]]()
        for folder, below, names in os.walk(self._root, followlinks=True):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:  # a link to what was listed already
                below.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in names:
                path = Path(folder, name)
                if not name.startswith(".") and path.is_file():
                    yield path.relative_to(self._root).as_posix(), _stamp_of(path)

    def local(self, file: str, stamp: Stamp) -> Path:
        return self._root / file

    def unfinished(self) -> bool:
        return self._file is None and (self._root / CONVERSION_MARK).exists()


@final
class _Remote:
    def __init__(self, location: str) -> None:
        self._location = location.rstrip("/")

    def _system(self) -> tuple[fsspec.AbstractFileSystem, str]:
        system, root = fsspec.core.url_to_fs(self._location)
        return system, root.rstrip("/")

    def files(self) -> Iterator[tuple[str, Stamp]]:
        system, root = self._system()
        for path, listed in dict(system.find(root, detail=True)).items():
            info = listed
            inside = PurePosixPath(path).relative_to(root).as_posix()
            name = PurePosixPath(path).name if path == root else inside
            if not any(part.startswith(".") for part in name.split("/")):
                if not info.get("size") or not _changed(info):
                    info = system.info(path)  # a listing over HTTP says neither
                yield name, Stamp(int(info.get("size") or 0), _changed(info))

    def unfinished(self) -> bool:
        return False

    def local(self, file: str, stamp: Stamp) -> Path:
        system, root = self._system()
        source = root if PurePosixPath(root).name == file else f"{root}/{file}"
        digest = hashlib.sha256(f"{self._location}/{file} {stamp}".encode()).hexdigest()[:16]
        target = cache_folder() / "fetched" / digest / PurePosixPath(file).name
        if not target.exists():
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(target) as unfinished:
                    system.get_file(source, str(unfinished))
            except Exception as error:  # each kind of file system has its own
                raise UnavailableError(f"cannot be fetched ({error!r})", file=file) from error
        return target


def _stamp_of(path: Path) -> Stamp:
    status = path.stat()
    return Stamp(status.st_size, str(status.st_mtime_ns))


def _changed(info: Mapping[str, Any]) -> str:
    """The first of what file systems say about a version of a file."""
    keys = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "created")
    return str(next((info[key] for key in keys if info.get(key)), ""))
