"""What the formats of one file per picture share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np

from worldmodel.data.files.pictures import picture_size
from worldmodel.data.formats.events import Stretch, stretches
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.recording import Flaw, Frames, Signals, View, no_signals
from worldmodel.errors import InputError


class Picture(NamedTuple):
    """One frame.

    Attributes:
        pixels: uint8 (H, W, C).
        missing: True where nothing was measured; None if everything was. Shape (H, W).
    """

    pixels: np.ndarray
    missing: np.ndarray | None = None


class PictureFiles(Reader, ABC):
    """One file per picture; a view's place lists its `files`, in order of time."""

    @abstractmethod
    def picture(self, view: View, file: str) -> Picture:
        """Decode one file.

        Raises:
            InputError: It is damaged, or has another size than the view.
        """

    def frames(self, view: View, steps: range) -> Frames:
        """Decode some files."""
        pictures = [self._frame(view, step) for step in steps]
        masks = [picture.missing for picture in pictures if picture.missing is not None]
        return Frames(
            np.stack([picture.pixels for picture in pictures]), np.stack(masks) if masks else None
        )

    def signals(self, view: View) -> Signals:
        """There are none."""
        return no_signals(view.length)

    def content(self, file: str) -> bytes:
        """All of a file.

        Raises:
            InputError: It cannot be read.
        """
        try:
            return self.folder.local(file).read_bytes()
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error

    def _frame(self, view: View, step: int) -> Picture:
        file = view.place["files"][step]
        try:
            return self.picture(view, file)
        except InputError as error:
            reason = reason_without(str(self.folder.local(file)), reason_without(file, str(error)))
            raise InputError(f"{file}: {view.name}, frame {step}: {reason}") from error


class NumberedPictures(PictureFiles, ABC):
    """Pictures whose names end in rising numbers; where a number is missing, a recording ends.

    Only the first picture of a recording is looked into before it is read.

    Attributes:
        pattern: Of a file's name: `series`, what the pictures of a recording share, and `number`.
        example: Of such a name.
    """

    pattern: ClassVar[re.Pattern[str]]
    example: ClassVar[str]

    @abstractmethod
    def view(self, first: re.Match[str], stretch: Stretch, size: tuple[int, int]) -> View:
        """What is known of a recording.

        Args:
            first: Name of its first file.
            stretch: Its files; times are numbers.
            size: Height and width of a picture.
        """

    def units(self) -> Iterator[Unit]:
        """One per series."""
        series: dict[str, list[str]] = {}
        for file in self.folder.files:
            if name := self.pattern.fullmatch(file):
                series.setdefault(name["series"], []).append(file)
        if not series:
            raise InputError(
                f"{self.folder}: expected files such as {self.example}, "
                f"found {len(self.folder.files)} other files"
            )
        return (Unit(name, tuple(files)) for name, files in series.items())

    def scan(self, unit: Unit) -> Iterator[View | Flaw]:
        """A view per stretch of consecutive numbers."""
        numbers: dict[str, float] = {}
        for file in unit.files:
            if self.folder.files[file].size:
                numbers[file] = float(self._name(file)["number"])
            else:
                yield Flaw(file, "", "empty file")
        for stretch in stretches(numbers):
            if isinstance(stretch, Flaw):
                yield stretch
            else:
                yield from self._views(stretch)

    def _views(self, stretch: Stretch) -> Iterator[View | Flaw]:
        """The view, from the first undamaged picture on."""
        for index, file in enumerate(stretch.files[:-1]):
            try:
                height, width, _ = picture_size(self.content(file), file)
                rest = stretch._replace(files=stretch.files[index:])
                yield self.view(self._name(file), rest, (height, width))
            except InputError as error:
                yield Flaw(file, "", reason_without(file, str(error)))
            else:
                return

    def _name(self, file: str) -> re.Match[str]:
        name = self.pattern.fullmatch(file)
        assert name is not None
        return name


def reason_without(file: str, error: str) -> str:
    """What an error says, without the file that it names first."""
    return error.removeprefix(f"{file}: ")
