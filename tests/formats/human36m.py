"""Human3.6M data sets for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square
from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.formats.video.human36m import Human36M
from worldmodel.data.recording import no_signals

TAKES = ("S11_Discussion_1", "S1_Walking", "S9_WalkDog_2")
CAMERAS = ("54138969", "60457274")
NUMBERS = (1, 6)
HEIGHT, WIDTH = 48, 66


@final
class Human36MCase(FormatCase):
    """Three takes of two cameras, every fifth frame of a second's fifty."""

    reader = Human36M
    tolerance = 3.0

    def write(self, folder: Path) -> list[Truth]:
        """Write twelve pictures."""
        truths = []
        for number, take in enumerate(TAKES):
            for index, camera in enumerate(CAMERAS):
                frames = moving_square(number + 4 * index, len(NUMBERS), HEIGHT, WIDTH)
                for frame, picture in zip(NUMBERS, frames, strict=True):
                    path = folder / f"{take}.{camera}_{frame:06d}.jpg"
                    path.write_bytes(encode_jpeg(picture))
                middle = frames[:, 12:36, 16:49]
                truths.append(Truth(f"{take}/000001", camera, middle, *no_signals(len(middle))))
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to all cameras of the second take."""
        lost = (f"{TAKES[1]}/000001",)
        tiny = encode_jpeg(np.zeros((1, 1, 3), np.uint8))
        larger = encode_jpeg(np.zeros((50, 66, 3), np.uint8))
        return {
            "no picture": Damage(_written(1, b"no picture"), "no readable picture", lost),
            "another size": Damage(_written(6, larger), "of 48x66", lost, when_read=True),
            "tiny": Damage(_written(1, tiny), "1 to 16384 pixels", lost),
            "cut short": Damage(
                _written(6, encode_jpeg(moving_square(0, 1, HEIGHT, WIDTH)[0])[:500]),
                "damaged picture|readable picture",
                lost,
                when_read=True,
            ),
        }


def _written(frame: int, content: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        for camera in CAMERAS:
            (folder / f"{TAKES[1]}.{camera}_{frame:06d}.jpg").write_bytes(content)

    return apply
