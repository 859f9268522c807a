"""Human3.6M as pictures: all in one folder, as prediction benchmarks use them.

`S1_Discussion_1.54138969_000471.jpg` is subject 1 in the first take of a discussion, by the camera
54138969, at frame 471 of 50 a second; usually every fifth is there. Follows `human.py` of
https://github.com/thuml/MotionRNN and `dataloader_human.py` of
https://github.com/chengtan9907/OpenSTL: subjects 1, 5, 6, 7 and 8 are trained on, 9 and 11 tested
on, and only the middle of a picture is used, without a quarter of it on each side.
"""

from __future__ import annotations

import re
from typing import final

from worldmodel.data.files.pictures import decode_picture
from worldmodel.data.format import Format
from worldmodel.data.formats.events import Stretch
from worldmodel.data.formats.picture_files import NumberedPictures, Picture
from worldmodel.data.recording import Camera, Part, Recording

FRAME_RATE = 50.0
"""Frames per second of the videos."""

PARTS: dict[str, Part] = {
    **dict.fromkeys(("S1", "S5", "S6", "S7", "S8"), "train"),
    **dict.fromkeys(("S9", "S11"), "test"),
}
"""Of the subjects whose poses are published."""


@final
class Human36M(NumberedPictures):
    """Pictures of Human3.6M's videos, cut to their middle.

    Each stretch of frames without a gap is a recording, called by its first frame, such as
    `S1_Discussion_1/000001`; its cameras share that name.
    """

    example = "S1_Discussion_1.54138969_000001.jpg"
    pattern = re.compile(
        r"(?P<series>(?:.*/)?(?P<subject>S\d+)_(?P<action>[^./]+?)(?:[ _]\d+)?)"
        r"\.(?P<camera>\d+)_(?P<number>\d+)\.(?:jpe?g|png)",
        re.IGNORECASE,
    )

    def recording(self, first: re.Match[str], stretch: Stretch, size: tuple[int, int]) -> Recording:
        """What is known of a recording."""
        rows, columns = _middle(size[0]), _middle(size[1])
        camera = Camera(
            name=first["camera"],
            length=len(stretch.files),
            height=rows.stop - rows.start,
            width=columns.stop - columns.start,
            channels=3,
            fps=FRAME_RATE / stretch.interval,
            place={"files": list(stretch.files), "size": list(size)},
        )
        return Recording(
            name=f"{first['series']}/{first['number']}",
            file=stretch.files[0],
            cameras=(camera,),
            domain=first["action"],
            part=PARTS.get(first["subject"].upper(), ""),
        )

    def picture(self, camera: Camera, file: str) -> Picture:
        """Decode one picture and cut out its middle."""
        height, width = camera.place["size"]
        pixels = decode_picture(self.folder.content(file), (height, width), 3)
        return Picture(pixels[_middle(height), _middle(width)])


def _middle(side: int) -> slice:
    """Without the first quarter, rounded down, and the last, rounded up."""
    return slice(side // 4, side - -(-side // 4))


FORMAT = Format("human36m", "Human3.6M pictures", Human36M)
