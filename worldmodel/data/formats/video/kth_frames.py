"""KTH action videos as pictures: a folder per video, as prediction benchmarks publish them.

`boxing/person01_boxing_d1_uncomp/image_0001.jpg` and so on, see `kth_action.py` of
https://github.com/thuml/predrnn-pytorch; the pictures in which nobody acts are left out. Names
such as `image-001_64x64.png` are read as well. See `kth_names` for the source.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import final

from worldmodel.data.files.pictures import decode_picture
from worldmodel.data.format import Format
from worldmodel.data.formats.events import Stretch
from worldmodel.data.formats.picture_files import NumberedPictures, Picture
from worldmodel.data.formats.video.kth_names import FRAME_RATE, VIDEO, part_of
from worldmodel.data.recording import Camera, Recording


@final
class KTHFrames(NumberedPictures):
    """Pictures of KTH's videos; each stretch of consecutive ones is a recording.

    It is called by its first picture, such as `boxing/person01_boxing_d1_uncomp/image_0001`.
    Pictures are gray, of the recorded size.
    """

    example = "boxing/person01_boxing_d1_uncomp/image_0001.jpg"
    pattern = re.compile(
        rf"(?P<series>(?:.*/)?{VIDEO}[^/]*)/image[_-](?P<number>\d+)(?:_\d+x\d+)?\.(?:jpe?g|png)",
        re.IGNORECASE,
    )

    def recording(self, first: re.Match[str], stretch: Stretch, size: tuple[int, int]) -> Recording:
        """What is known of a recording."""
        fps, place = FRAME_RATE / stretch.interval, {"files": list(stretch.files)}
        return Recording(
            name=PurePosixPath(stretch.files[0]).with_suffix("").as_posix(),
            file=stretch.files[0],
            cameras=(Camera("", len(stretch.files), *size, channels=1, fps=fps, place=place),),
            domain=first["action"].lower(),
            part=part_of(first["person"]),
        )

    def picture(self, camera: Camera, file: str) -> Picture:
        """Decode one picture."""
        return Picture(decode_picture(self.folder.content(file), (camera.height, camera.width), 1))


FORMAT = Format("kth-frames", "KTH action pictures", KTHFrames)
