"""Radar composites of the Finnish Meteorological Institute: PGM, often gzipped, one per time.

Comments in the head tell what it is. Reflectivity is stored as bytes, dBZ = byte/2 - 32, and the
largest number stands for what no radar saw; see `import_fmi_pgm` of
https://github.com/pySTEPS/pysteps. Of other parameters, the head does not tell the packing.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import final

import numpy as np

from worldmodel.data.format import Format
from worldmodel.data.formats.events import parsed
from worldmodel.data.formats.radar.packing import Packing
from worldmodel.data.formats.radar.radar_files import Head, RadarFiles
from worldmodel.errors import InputError

_HEAD = 2**14
_FIRST_LINES = re.compile(rb"P5\s+((?:#[^\n]*\n\s*)*)(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s")
_DAMAGE = (OSError, EOFError, zlib.error)


@final
class FMI(RadarFiles):
    """PGM files of one product in a folder."""

    suffixes = (".pgm", ".pgm.gz")

    @classmethod
    def belongs(cls, path: Path) -> bool:
        """Whether the head holds the time of the observation."""
        return b"# obstime" in _start(path, _HEAD)

    @classmethod
    def head(cls, path: Path) -> Head:
        """What the comments say."""
        lines, comments = _first_lines(path)
        width, height, largest = (int(number) for number in lines.groups()[1:])
        if comments.get("param") != "CorrectedReflectivity":
            raise InputError(
                f"expected a composite of CorrectedReflectivity, got {comments.get('param')}"
            )
        if largest != 255:
            raise InputError(f"expected bytes, of at most 255, got numbers of at most {largest}")
        _check_size(path, lines.end() + height * width)
        return Head(
            time=parsed(comments.get("obstime", ""), "%Y%m%d%H%M"),
            product=" ".join(comments.get(key, "") for key in ("projection_name", "productname")),
            height=height,
            width=width,
            packing=Packing("dBZ", 0.5, -32.0, missing=(255,), bytewise=True),
        )

    @classmethod
    def numbers(cls, path: Path) -> np.ndarray:
        """The bytes after the head."""
        lines, _ = _first_lines(path)
        width, height = int(lines[2]), int(lines[3])
        size = lines.end() + height * width
        content = _start(path, size + 1)
        if len(content) != size:
            raise InputError(f"expected {height}x{width} bytes after the head")
        return np.frombuffer(content, np.uint8, offset=lines.end()).reshape(height, width)


def _start(path: Path, size: int) -> bytes:
    """The first bytes of a file, decompressed."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            return file.read(size)
    except _DAMAGE as error:
        raise InputError(f"cannot be read ({error})") from error


def _first_lines(path: Path) -> tuple[re.Match[bytes], dict[str, str]]:
    """The lines before the picture, and the comments among them."""
    lines = _FIRST_LINES.match(_start(path, _HEAD))
    if lines is None:
        raise InputError("expected a PGM file that begins with P5, comments and its size")
    words = (line.lstrip("# ").partition(" ") for line in lines[1].decode("latin-1").splitlines())
    return lines, {key: value.strip() for key, _, value in words}


def _check_size(path: Path, size: int) -> None:
    """Refuse a file that does not hold as many bytes; a gzipped one tells it at its end."""
    try:
        held = path.stat().st_size
        if path.suffix.lower() == ".gz":
            with path.open("rb") as file:
                file.seek(-4, 2)
                held = int.from_bytes(file.read(4), "little")
    except OSError as error:
        raise InputError(f"cannot be read ({error})") from error
    if held != size:
        raise InputError("does not hold as many bytes as its size needs")


FORMAT = Format("fmi", "FMI radar PGM", FMI)
