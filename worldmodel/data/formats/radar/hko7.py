"""HKO-7: radar echo over Hong Kong, a gray picture every 6 minutes, 2009 to 2015.

Follows https://github.com/sxjscience/HKO-7 (`hko_iterator.py`, `mask.py`, `hko_evaluation.py`).
Pictures are `YYYY/MM/DD/RADyymmddHHMMSS.png`. Masks, in a folder of their own, are called like
their pictures, `.mask`: zlib over a byte per pixel, 1 where it counts. Times are as written.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.pictures import decode_picture, picture_size
from worldmodel.data.format import Format
from worldmodel.data.formats.events import Stretch, iso, season, stretches, time_in
from worldmodel.data.formats.picture_files import Picture, PictureFiles
from worldmodel.data.formats.radar.rain import REFLECTIVITY
from worldmodel.data.reader import Unit, check_any
from worldmodel.data.recording import Camera, Flaw, Part, Recording
from worldmodel.errors import InputError, located

FIRST_TEST_YEAR = 2015

VALIDATION_DAYS = frozenset(
    re.findall(
        r"\d+",
        "090301 090519 090520 090615 090616 090725 090817 090916 091214 100105 100222 "
        "100325 100418 100601 100820 101005 110618 110630 110701 110717 110831 120124 "
        "120208 120228 120429 120519 120520 120731 120810 120816 120901 121218 130330 "
        "130420 130503 130710 130922 131112 140208 140219 140314 140414 140508 140625 "
        "140722 140820 140917 140930 141026 141129",
    )
)
"""As published, yymmdd; all other days up to 2014 train."""

_FILE = re.compile(r"RAD(\d{6})\d{6}\.(png|mask)", re.IGNORECASE)
_LAYOUT = "RAD%y%m%d%H%M%S"


@final
class HKO7(PictureFiles):
    """A recording is a stretch of a day without a gap, since the published parts are days.

    Masks are read if there are any; then every picture of a recording must have one.
    """

    timed = True
    quantity = REFLECTIVITY.quantity

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a picture of such a name."""
        return any(_FILE.fullmatch(_name(file)) for file in folder.named(".png"))

    def units(self) -> Iterator[Unit]:
        """One per day of which there are pictures."""
        days: dict[str, list[str]] = {}
        for file in self.folder.files:
            if name := _FILE.fullmatch(_name(file)):
                days.setdefault(name[1], []).append(file)
        shown = {day: files for day, files in days.items() if not all(map(_is_mask, files))}
        check_any(self.folder, shown, "RADyymmddHHMMSS.png files")
        return (Unit(day, tuple(files)) for day, files in sorted(shown.items()))

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per stretch."""
        masks = {_stem(file): file for file in unit.files if _is_mask(file)}
        pictures = [file for file in unit.files if not _is_mask(file)]
        shown = set(map(_stem, pictures))
        alone = [mask for stem, mask in masks.items() if stem not in shown]
        times = {file: time_in(file, _LAYOUT) for file in (*pictures, *alone)}
        for stretch in stretches(times):
            if isinstance(stretch, Flaw):
                yield stretch
                continue
            try:
                yield self._recording(unit.name, stretch, masks)
            except InputError as error:
                yield Flaw.of(error, stretch.files[0], iso(stretch.start))

    def picture(self, camera: Camera, file: str) -> Picture:
        """Decode a picture; what its mask leaves out is 0."""
        size = camera.height, camera.width
        pixels = decode_picture(self.folder.content(file), size, channels=1)
        mask = camera.place["masks"].get(file)
        if mask is None:
            return Picture(pixels)
        with located(mask):
            missing = _missing(self.folder.content(mask), size)
        return Picture(np.where(missing[..., None], np.uint8(0), pixels), missing)

    def _recording(self, day: str, stretch: Stretch, masks: dict[str, str]) -> Recording:
        if any(map(_is_mask, stretch.files)):
            raise InputError("some masks have no picture")
        own = {file: masks[_stem(file)] for file in stretch.files if _stem(file) in masks}
        if 0 < len(own) < len(stretch.files):
            raise InputError("some pictures have a mask, others have none")
        first = stretch.files[0]
        height, width, _ = picture_size(self.folder.content(first))
        place = {"files": list(stretch.files), "masks": own}
        fps = 1 / stretch.interval
        return Recording(
            name=iso(stretch.start),
            file=first,
            cameras=(Camera("", len(stretch.files), height, width, 1, fps, place),),
            domain=season(stretch.start),
            part=_part(day),
            start=stretch.start,
        )


def _name(file: str) -> str:
    return PurePosixPath(file).name


def _stem(file: str) -> str:
    return PurePosixPath(file).stem.lower()


def _is_mask(file: str) -> bool:
    return file.lower().endswith(".mask")


def _part(day: str) -> Part:
    if day in VALIDATION_DAYS:
        return "validation"
    return "train" if 2000 + int(day[:2]) < FIRST_TEST_YEAR else "test"


def _missing(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """Where a mask leaves pixels out, bool (H, W)."""
    count = size[0] * size[1]
    try:
        counted = np.frombuffer(zlib.decompressobj().decompress(data, count + 1), np.uint8)
    except zlib.error as error:
        raise InputError(f"damaged mask ({error})") from error
    if len(counted) != count or counted.max() > 1:
        raise InputError(f"expected a mask of {count} bytes, each 0 or 1, got {len(counted)}")
    return counted.reshape(size) == 0


FORMAT = Format("hko7", "HKO-7", HKO7)
