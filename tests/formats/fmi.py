"""FMI data sets for the contract."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import final

import numpy as np

from formats.case import Damage, FormatCase, Truth
from formats.radar import EVENTS, Event, shower, truth
from worldmodel.data.formats.radar.fmi import FMI

HEAD = """P5
# composite_area FIN
# projection_name SUOMI1
# radar KOR 1 21.6460 60.1280
# obstime {time}
# producttype CAPPI
# productname LOWEST
# param CorrectedReflectivity
# metersperpixel_x 999.674053
# metersperpixel_y 999.62859
# projection radar {{
# type stereographic
# centrallongitude 25
# bottomleft 18.600000 57.930000
# }}
{width} {height}
255
"""


def name_of(event: Event, time: datetime) -> str:
    name = f"{time:%Y%m%d%H%M}_fmi.radar.composite.lowest_FIN_SUOMI1.pgm"
    return f"{event.folder}/{name}" if event.folder else f"{name}.gz"


def bytes_of(event: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of dBZ = byte/2 - 32, and where no radar sees."""
    rate, unseen = shower(event, length)
    wet = rate > 0
    pixels = np.zeros(rate.shape, np.uint8)
    pixels[wet] = np.rint(64 + 20 * np.log10(200 * rate[wet] ** 1.6))
    return pixels, unseen


def write_picture(path: Path, time: datetime, pixels: np.ndarray) -> None:
    height, width = pixels.shape
    head = HEAD.format(time=f"{time:%Y%m%d%H%M}", width=width, height=height)
    content = head.encode() + pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@final
class FMICase(FormatCase):
    """Two gzipped events in a folder, and one below it that is not compressed."""

    reader = FMI

    def write(self, folder: Path) -> list[Truth]:
        """Write six files."""
        truths = []
        for number, event in enumerate(EVENTS):
            pixels, unseen = bytes_of(number, event.length)
            for time, stored in zip(event.times, np.where(unseen, 255, pixels), strict=True):
                write_picture(folder / name_of(event, time), time, stored.astype(np.uint8))
            truths.append(truth(event, np.where(unseen, 0, pixels).astype(np.uint8), unseen))
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the last event, and to a gzipped one."""
        lost = (EVENTS[2].name,)
        return {
            "no time": Damage(_replaced(b"# obstime", b"# time"), "expected a time like", lost),
            "no such time": Damage(
                _replaced(b"201701010000", b"201713010000"), "a time like", lost
            ),
            "another parameter": Damage(
                _replaced(b"CorrectedReflectivity", b"Precipitation1h"), "Precipitation1h", lost
            ),
            "two bytes": Damage(_replaced(b"\n255\n", b"\n65535\n"), "at most 255", lost),
            "text": Damage(_replaced(b"P5", b"P2"), "begins with P5", lost),
            "huge": Damage(_replaced(b"\n32 24\n", b"\n100000 100000\n"), "as many bytes", lost),
            "no width": Damage(_replaced(b"\n32 24\n", b"\n0 24\n"), "as many bytes", lost),
            "wider than high": Damage(
                _replaced(b"\n32 24\n", b"\n24 32\n"), "product or size", lost
            ),
            "another product": Damage(_replaced(b"LOWEST", b"500M"), "product or size", lost),
            "same time": Damage(_replaced(b"201701010000", b"201701010005"), "same time", lost),
            "flipped byte": Damage(_flip, "CRC", (EVENTS[0].name,), when_read=True),
        }


def _replaced(old: bytes, new: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name_of(EVENTS[2], EVENTS[2].start)
        path.write_bytes(path.read_bytes().replace(old, new))

    return apply


def _flip(folder: Path) -> None:
    """Change the checksum."""
    path = folder / name_of(EVENTS[0], EVENTS[0].start)
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
