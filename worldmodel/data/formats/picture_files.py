"""What the formats of one file per picture share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import ClassVar, NamedTuple

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.pictures import picture_size
from worldmodel.data.formats.events import Stretch, stretches
from worldmodel.data.reader import ActionFree, Unit, check_any
from worldmodel.data.recording import Camera, Flaw, Frames, Recording
from worldmodel.errors import InputError, located


class Picture(NamedTuple):
    """One frame.

    Attributes:
        pixels: uint8 (H, W, C).
        missing: True where nothing was measured; None if everything was. Shape (H, W).
    """

    pixels: np.ndarray
    missing: np.ndarray | None = None


class PictureFiles(ActionFree, ABC):
    """One file per picture; a camera's place lists its `files`, in order of time."""

    @abstractmethod
    def picture(self, camera: Camera, file: str) -> Picture:
        """Decode one file.

        Raises:
            InputError: It is damaged, or has another size than the camera.
        """

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some files."""
        pictures = [self._frame(camera, step) for step in steps]
        masks = [picture.missing for picture in pictures if picture.missing is not None]
        return Frames(
            np.stack([picture.pixels for picture in pictures]), np.stack(masks) if masks else None
        )

    def _frame(self, camera: Camera, step: int) -> Picture:
        file = camera.place["files"][step]
        with located(file, frame=step):
            return self.picture(camera, file)


class NumberedPictures(PictureFiles, ABC):
    """Pictures whose names end in rising numbers; where a number is missing, a recording ends.

    Only the first picture of a recording is looked into before it is read.

    Attributes:
        pattern: Of a file's name: `series`, what the pictures of recordings share, `number`, and
            `camera` if there can be several.
        example: Of such a name.
    """

    pattern: ClassVar[re.Pattern[str]]
    example: ClassVar[str]

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether a file is called like such a picture."""
        return any(map(cls.pattern.fullmatch, folder.files))

    @abstractmethod
    def recording(self, first: re.Match[str], stretch: Stretch, size: tuple[int, int]) -> Recording:
        """What is known of a recording of one camera.

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
        check_any(self.folder, series, f"files such as {self.example}")
        return (Unit(name, tuple(files)) for name, files in series.items())

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per stretch of consecutive numbers; those of one name are its cameras."""
        numbers: dict[str, dict[str, float]] = {}
        for file in unit.files:
            name = self._name(file).groupdict()
            if self.folder.files[file].size:
                numbers.setdefault(name.get("camera", ""), {})[file] = float(name["number"])
            else:
                yield Flaw(file, "", "empty file")
        found: dict[str, Recording] = {}
        for stretch in chain.from_iterable(map(stretches, numbers.values())):
            for one in [stretch] if isinstance(stretch, Flaw) else self._seen(stretch):
                if isinstance(one, Flaw):
                    yield one
                else:
                    others = found[one.name].cameras if one.name in found else ()
                    found[one.name] = replace(one, cameras=(*others, *one.cameras))
        yield from found.values()

    def _seen(self, stretch: Stretch) -> Iterator[Recording | Flaw]:
        """What one camera saw, from the first undamaged picture on."""
        for index, file in enumerate(stretch.files[:-1]):
            try:
                height, width, _ = picture_size(self.folder.content(file))
                rest = stretch._replace(files=stretch.files[index:])
                yield self.recording(self._name(file), rest, (height, width))
            except InputError as error:
                yield Flaw.of(error, file)
            else:
                return

    def _name(self, file: str) -> re.Match[str]:
        name = self.pattern.fullmatch(file)
        assert name is not None
        return name
