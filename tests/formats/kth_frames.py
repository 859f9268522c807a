"""Pictures of KTH for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import numpy as np
from writing import encode_png

from formats.case import Damage, FormatCase, Truth
from formats.kth import gray
from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.formats.video.kth_frames import KTHFrames
from worldmodel.data.recording import no_signals

STRETCHES = {
    "boxing/person01_boxing_d1_uncomp": ((1, 2), (95, 96), (107, 108)),
    "jogging/person25_jogging_d4_uncomp": ((1, 2),),
}


@final
class KTHFramesCase(FormatCase):
    """Two videos, of which some frames are left out; the second one is in PNG."""

    reader = KTHFrames
    tolerance = 3.0

    def write(self, folder: Path) -> list[Truth]:
        """Write eight pictures, gray in three channels."""
        truths = []
        for video, (name, stretches) in enumerate(STRETCHES.items()):
            (folder / name).mkdir(parents=True)
            for stretch, numbers in enumerate(stretches):
                frames = gray(2 * video + stretch, len(numbers))
                for number, frame in zip(numbers, frames, strict=True):
                    path = folder / name / f"image_{number:04d}{('.jpg', '.png')[video]}"
                    path.write_bytes(encode_png(frame) if video else encode_jpeg(frame))
                truths.append(
                    Truth(
                        f"{name}/image_{numbers[0]:04d}",
                        "",
                        frames[..., :1],
                        *no_signals(len(frames)),
                    )
                )
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second recording of the first video, or to the second video."""
        boxing, jogging = STRETCHES
        second, png = (f"{boxing}/image_0095",), (f"{jogging}/image_0001",)
        larger = encode_jpeg(np.zeros((26, 32, 3), np.uint8))
        return {
            "another size": Damage(
                _written(f"{boxing}/image_0096.jpg", larger), "of 24x32", second, when_read=True
            ),
            "no picture first": Damage(
                _written(f"{boxing}/image_0095.jpg", b"no picture"), "readable picture", second
            ),
            "huge": Damage(_widened(f"{jogging}/image_0001.png"), "picture", png),
            "twice": Damage(_copied(f"{jogging}/image_0002"), "same time", ()),
        }


def _written(name: str, content: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return apply


def _copied(name: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = (folder / f"{name}.png").read_bytes()
        (folder / f"{name}_24x32.png").write_bytes(content)

    return apply


def _widened(name: str) -> Callable[[Path], None]:
    """Declare 100,000 pixels a side in the head of a PNG."""

    def apply(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[16:24] = (100_000).to_bytes(4) * 2
        (folder / name).write_bytes(content)

    return apply
