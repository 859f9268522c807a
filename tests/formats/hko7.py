"""HKO-7 data sets for the contract."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import final

import numpy as np
from writing import encode_png

from formats.case import Damage, FormatCase, Truth, moving_square
from worldmodel.data.formats.radar.hko7 import HKO7
from worldmodel.data.recording import no_signals

STARTS = (
    datetime(2014, 5, 8, 0, 0, tzinfo=UTC),
    datetime(2014, 5, 8, 3, 12, tzinfo=UTC),
    datetime(2015, 1, 7, 23, 30, tzinfo=UTC),
)
LENGTHS = (5, 3, 4)


def picture_path(time: datetime) -> str:
    """Of a picture, relative to the folder."""
    return f"radarPNG/{time:%Y/%m/%d}/RAD{time:%y%m%d%H%M}00.png"


def mask_path(time: datetime) -> str:
    """Of a mask, relative to the folder."""
    return f"radarPNG_mask/{time:%Y/%m/%d}/RAD{time:%y%m%d%H%M}00.mask"


def write_scan(folder: Path, time: datetime, pixels: np.ndarray, counts: np.ndarray | None) -> None:
    """Write a picture, uint8 (H, W, 1), and its mask, bool (H, W), if it has one."""
    files = {picture_path(time): encode_png(pixels)}
    if counts is not None:
        files[mask_path(time)] = zlib.compress(counts.tobytes(), 2)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def name_of(start: datetime) -> str:
    """What the reader should call a recording."""
    return f"{start:%Y-%m-%dT%H:%M:%SZ}"


@final
class HKO7Case(FormatCase):
    """A day with a gap and another day; masks leave out a corner, and one pixel that moves."""

    reader = HKO7

    def write(self, folder: Path) -> list[Truth]:
        """Write pictures and masks."""
        truths = []
        for number, (start, length) in enumerate(zip(STARTS, LENGTHS, strict=True)):
            recorded = moving_square(number, length)[..., 1:2]
            missing = np.zeros(recorded.shape[:3], bool)
            missing[:, :4, :5] = True
            missing[np.arange(length), 9, np.arange(length)] = True
            for step in range(length):
                time = start + timedelta(minutes=6 * step)
                write_scan(folder, time, recorded[step], ~missing[step])
            pixels = np.where(missing[..., None], 0, recorded).astype(np.uint8)
            truths.append(Truth(name_of(start), "", pixels, *no_signals(length), missing))
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second picture of the first recording, or to its mask."""
        lost = (name_of(STARTS[0]),)
        time = STARTS[0] + timedelta(minutes=6)
        picture, mask = picture_path(time), mask_path(time)
        small = moving_square(0, 1, height=10)[0, ..., :1]
        return {
            "no picture": Damage(_replaced(picture, None), "masks have no picture", lost),
            "no mask": Damage(_replaced(mask, None), "others have none", lost),
            "another size": Damage(
                _replaced(picture, encode_png(small)), "expected a picture of 24x32", lost, True
            ),
            "a mask that is not compressed": Damage(
                _replaced(mask, bytes(24 * 32)), "damaged mask", lost, True
            ),
            "a small mask": Damage(
                _replaced(mask, zlib.compress(bytes(100))), "mask of 768 bytes", lost, True
            ),
            "a huge mask": Damage(
                _replaced(mask, zlib.compress(bytes(2**26))), "mask of 768 bytes", lost, True
            ),
            "a mask that is no mask": Damage(
                _replaced(mask, zlib.compress(bytes([7]) * 768)), "each 0 or 1", lost, True
            ),
            "one time twice": Damage(_copied(picture), "the same time", ()),
            "a day that does not exist": Damage(_misnamed, "expected a time", ()),
        }


def _replaced(name: str, data: bytes | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).unlink() if data is None else (folder / name).write_bytes(data)

    return apply


def _copied(name: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / "zz").mkdir()
        shutil.copy(folder / name, folder / "zz")

    return apply


def _misnamed(folder: Path) -> None:
    shutil.copy(folder / picture_path(STARTS[0]), folder / "RAD141350000000.png")
