"""What the formats of one radar picture per file share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

import h5py
import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.hdf5 import find_dataset
from worldmodel.data.formats.events import Stretch, iso, season, stretches
from worldmodel.data.formats.picture_files import Picture, PictureFiles
from worldmodel.data.formats.radar.packing import Packing
from worldmodel.data.formats.radar.rain import REFLECTIVITY, Scale
from worldmodel.data.reader import Unit, check_any
from worldmodel.data.recording import LONGEST_SIDE, Camera, Flaw, Recording
from worldmodel.errors import InputError

_LOOKED_INTO = 5


class Head(NamedTuple):
    """What a file says of its picture.

    Attributes:
        time: Seconds since 1970 UTC.
        product: The same for all pictures that may be compared.
        height: In pixels.
        width: In pixels.
        packing: What its numbers stand for.
    """

    time: float
    product: str
    height: int
    width: int
    packing: Packing


class RadarFiles(PictureFiles, ABC):
    """One radar picture per file; those that follow each other regularly are an event.

    A missing or damaged file ends an event. The files of one folder are one series, and of one
    product and size; what differs from most of them is refused. An event is called by its start,
    such as `2016-09-28T14:45:00Z`.

    Bytes stand for what they stand for in the first readable file, if it holds bytes of
    reflectivity or liquid; for those of `worldmodel.data.formats.radar.rain` otherwise.

    Attributes:
        suffixes: Of files of this format.
        scale: What bytes stand for.
    """

    timed = True
    suffixes: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self.scale = next(self._scales(), REFLECTIVITY)
        self.quantity = self.scale.quantity

    @classmethod
    @abstractmethod
    def belongs(cls, path: Path) -> bool:
        """Whether a file looks like this format.

        Raises:
            InputError: It cannot be read.
        """

    @classmethod
    @abstractmethod
    def head(cls, path: Path) -> Head:
        """What a file says of its picture.

        Raises:
            InputError: It is damaged, or not of this format.
        """

    @classmethod
    @abstractmethod
    def numbers(cls, path: Path) -> np.ndarray:
        """The picture as it is stored, (H, W); its size was checked by `head`.

        Raises:
            InputError: It is damaged.
        """

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether one of the first files looks like this format."""
        for file in folder.named(*cls.suffixes)[:_LOOKED_INTO]:
            try:
                if cls.belongs(folder.local(file)):
                    return True
            except InputError:
                continue
        return False

    def units(self) -> Iterator[Unit]:
        """One per folder, without those below it."""
        folders = self._folders()
        check_any(self.folder, folders, f"*{' or *'.join(self.suffixes)} files")
        return (Unit(name, tuple(files)) for name, files in folders.items())

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per event."""
        heads: dict[str, Head] = {}
        for file in unit.files:
            try:
                heads[file] = self._head(file)
            except InputError as error:
                yield Flaw.of(error, file)
        alike = Counter((head.product, head.height, head.width) for head in heads.values())
        (product, height, width), _ = next(iter(alike.most_common(1)), (("", 0, 0), 0))
        times = {}
        for file, head in heads.items():
            if (head.product, head.height, head.width) == (product, height, width):
                times[file] = head.time
            else:
                yield Flaw(file, "", "differs in product or size from most files of its folder")
        for event in stretches(times):
            yield event if isinstance(event, Flaw) else _recording(unit, event, height, width)

    def picture(self, camera: Camera, file: str) -> Picture:
        """Decode one file."""
        head, path = self._head(file), self.folder.local(file)
        if (head.height, head.width) != (camera.height, camera.width):
            raise InputError(
                f"expected a picture of {camera.height}x{camera.width}, "
                f"got {head.height}x{head.width}"
            )
        pixels, missing = head.packing.pixels(self.numbers(path), self.scale)
        return Picture(pixels[..., None], missing)

    def _head(self, file: str) -> Head:
        """The head of a file that fits the others."""
        head = self.head(self.folder.local(file))
        quantity = head.packing.scale.quantity
        if quantity != self.quantity:
            raise InputError(f"expected {self.scale.quantity.name} as before, got {quantity.name}")
        if max(head.height, head.width) > LONGEST_SIDE:
            raise InputError(
                f"expected a picture of at most {LONGEST_SIDE} pixels a side, "
                f"got {head.height}x{head.width}"
            )
        return head

    def _folders(self) -> dict[str, list[str]]:
        """Files of each folder, both in order of their names."""
        folders: dict[str, list[str]] = {}
        for file in self.folder.named(*self.suffixes):
            folders.setdefault(PurePosixPath(file).parent.as_posix(), []).append(file)
        return dict(sorted(folders.items()))

    def _scales(self) -> Iterator[Scale]:
        for file in chain.from_iterable(self._folders().values()):
            try:
                yield self.head(self.folder.local(file)).packing.scale
            except InputError:
                continue


def _recording(unit: Unit, event: Stretch, height: int, width: int) -> Recording:
    place, fps = {"files": list(event.files)}, 1 / event.interval
    return Recording(
        name=(PurePosixPath(unit.name) / iso(event.start)).as_posix(),
        file=event.files[0],
        cameras=(Camera("", len(event.files), height, width, 1, fps, place),),
        domain=season(event.start),
        start=event.start,
    )


def picture_dataset(file: h5py.File, key: str) -> h5py.Dataset:
    """A data set of numbers (H, W).

    Raises:
        InputError: There is none, or it is of another shape or type.
    """
    dataset = find_dataset(file, key)
    if dataset.ndim != 2 or dataset.dtype.kind not in "iuf":
        raise InputError(
            f"expected '{key}' to hold numbers (H, W), got {dataset.dtype} {dataset.shape}"
        )
    return dataset
