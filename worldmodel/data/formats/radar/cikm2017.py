"""CIKM AnalytiCup 2017: radar echo around sites near Shenzhen, as the competition handed it out.

A line of `train.txt`, `testA.txt`, `testB.txt` or `data_sample.txt` is
`id,rainfall,` and 15 times x 4 heights x 101 rows x 101 columns of whole numbers with a space
between them: bytes, or -1 where nothing was measured. The layout is the one in which all entries to
the competition read it, such as https://github.com/TeaPearce/precipitation-prediction-convLSTM-keras.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.format import Format
from worldmodel.data.formats.radar.rain import REFLECTIVITY
from worldmodel.data.reader import ActionFree, Unit, one_per_file
from worldmodel.data.recording import Camera, Flaw, Frames, Part, Recording
from worldmodel.errors import InputError, located

TIMES, SIDE = 15, 101
SECONDS = 360
"""Between two times."""

CAMERAS = ("height_0.5km", "height_1.5km", "height_2.5km", "height_3.5km")
"""Heights at which the same place was measured."""

PARTS: dict[str, Part] = {
    "data_sample.txt": "train",
    "train.txt": "train",
    "testa.txt": "test",
    "testb.txt": "test",
}
"""By the name of the file in small letters; the year of the test follows those of the training."""

_CAMERAS = tuple(Camera(name, TIMES, SIDE, SIDE, channels=1, fps=1 / SECONDS) for name in CAMERAS)
_PICTURE = SIDE * SIDE
_NUMBERS = TIMES * len(CAMERAS) * _PICTURE
_HEAD = re.compile(rb"([^,\s]{1,100}),[^,\n]{0,100},(?=-?\d)")
_LONGEST_HEAD = 210
_LONGEST_LINE = _LONGEST_HEAD + _NUMBERS * len("-255 ")
_SPACE = ord(" ")


class _Line(NamedTuple):
    """A line of a file.

    Attributes:
        number: From 1.
        offset: Of its first byte.
        text: All of it, or what is too long for any sample.
    """

    number: int
    offset: int
    text: bytes


@final
class CIKM2017(ActionFree):
    """A recording per line, a camera per height; no line is kept in memory.

    The competition did not publish how bytes were made of reflectivity. The papers that made the
    set a benchmark take them for dBZ = 95 byte/255 - 10, DiffCast for 90 byte/255.
    """

    quantity = REFLECTIVITY.quantity

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether a file of one of those names begins as a line should."""
        return any(_begins_well(folder, file) for file in _files(folder))

    def units(self) -> Iterator[Unit]:
        """One per file."""
        return one_per_file(self.folder, _files(self.folder), f"{', '.join(PARTS)}")

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per line."""
        flaws, seen = [], set[str]()
        try:
            with open(self.folder.local(unit.name), "rb") as file:
                for line in _lines(file):
                    try:
                        name, start = _checked(line)
                        if name in seen:
                            raise InputError("its id comes twice in the file")
                        seen.add(name)
                        yield _recording(unit.name, name, line, start)
                    except InputError as error:
                        flaws.append(Flaw.of(error, unit.name, _name(unit.name, line)))
        except OSError as error:
            raise InputError(f"cannot be read ({error})") from error
        if not seen:
            raise InputError(flaws[0].reason if flaws else "expected samples, the file is empty")
        yield from flaws

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Read some frames; what is missing is 0."""
        level = CAMERAS.index(camera.name)
        try:
            with open(self.folder.local(recording.file), "rb") as file:
                file.seek(recording.place["offset"])
                text = file.read(recording.place["size"])
        except OSError as error:
            raise InputError(f"cannot be read ({error})") from error
        spaces = np.flatnonzero(np.frombuffer(text, np.uint8) == _SPACE)
        bounds = np.concatenate([[-1], spaces, [len(text)]])
        if len(bounds) != _NUMBERS + 1:
            raise InputError("has changed since it was found")
        pictures = []
        for t in steps:
            first = (t * len(CAMERAS) + level) * _PICTURE
            words = text[bounds[first] + 1 : bounds[first + _PICTURE]].split()
            with located(frame=t):
                pictures.append(_picture(words))
        values = np.stack(pictures)
        return Frames(np.maximum(values, 0).astype(np.uint8)[..., None], values < 0)


def _files(folder: Folder) -> list[str]:
    return [file for file in folder.files if PurePosixPath(file).name.lower() in PARTS]


def _begins_well(folder: Folder, file: str) -> bool:
    try:
        with open(folder.local(file), "rb") as stream:
            return _HEAD.match(stream.read(_LONGEST_HEAD)) is not None
    except (OSError, InputError):
        return False


def _lines(file: IO[bytes]) -> Iterator[_Line]:
    """Lines that are not blank; of one that is too long, the rest is passed over."""
    number, offset = 0, 0
    while text := file.readline(_LONGEST_LINE):
        number += 1
        rest = text
        while len(rest) == _LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(_LONGEST_LINE)
        if text.strip():
            yield _Line(number, offset, text)
        offset = file.tell()


def _checked(line: _Line) -> tuple[str, int]:
    """Id of a sample, and where its numbers begin in the line.

    Raises:
        InputError: It has another number of them, or something else.
    """
    head = _HEAD.match(line.text)
    if head is None:
        raise InputError("expected lines of an id, a rainfall and numbers with commas in between")
    numbers = line.text[head.end() :].rstrip()
    if numbers.translate(None, b"-0123456789 "):
        raise InputError("expected whole numbers with one space in between")
    count = numbers.count(b" ") + 1
    if count != _NUMBERS:
        raise InputError(f"expected {_NUMBERS} numbers per line, got {count}")
    return head[1].decode(errors="replace"), head.end()


def _recording(file: str, name: str, line: _Line, start: int) -> Recording:
    return Recording(
        name=f"{file}/{name}",
        file=file,
        cameras=_CAMERAS,
        domain="Shenzhen",
        part=PARTS[PurePosixPath(file).name.lower()],
        place={"offset": line.offset + start, "size": len(line.text.rstrip()) - start},
    )


def _name(file: str, line: _Line) -> str:
    head = _HEAD.match(line.text)
    return f"{file}/{head[1].decode(errors='replace')}" if head else f"{file}/line {line.number}"


def _picture(words: list[bytes]) -> np.ndarray:
    """Numbers of a picture, int64 (H, W)."""
    try:
        values = np.array(words).astype(np.int64).reshape(SIDE, SIDE)
    except (ValueError, OverflowError) as error:
        raise InputError(f"expected {_PICTURE} whole numbers ({error})") from error
    if values.min() < -1 or values.max() > 255:
        raise InputError(f"expected -1 to 255, got {values.min()} to {values.max()}")
    return values


FORMAT = Format("cikm2017", "CIKM AnalytiCup 2017", CIKM2017)
