"""KTH action videos: AVI, and a list of the frames in which somebody acts.

See `kth_names` for the source. `00sequences.txt` lists frames from 1 on,
both ends included; its fields are separated by tabs or blanks, its ranges by commas, some of which
overlap or are not in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import final

import numpy as np
from PIL import Image

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.video import Video, video_file
from worldmodel.data.format import Format
from worldmodel.data.formats.video.kth_names import VIDEO, part_of
from worldmodel.data.reader import ActionFree, Unit, check_any
from worldmodel.data.recording import Camera, Flaw, Frames, Recording
from worldmodel.errors import InputError

SEQUENCES = "00sequences.txt"

_FILE = re.compile(rf"(?:.*/)?(?P<video>{VIDEO})(?:_uncomp)?\.avi", re.IGNORECASE)
_LINE = re.compile(r"(?P<video>person\d{2}_[a-z]+_d\d)\s+frames\s+(?P<ranges>[\d\s,-]+)")
_RANGE = re.compile(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*")


@final
class KTH(ActionFree):
    """KTH's AVI files in a folder and below it.

    Each range in `00sequences.txt` is a recording, `FILE/1`, `FILE/2` and so on; without that
    file, each video is one. Pictures are the luma of what is decoded, of the recorded size.
    """

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether a file is called like a video of KTH."""
        return any(_FILE.fullmatch(file) for file in folder.files)

    def units(self) -> Iterator[Unit]:
        """One per video; the list of sequences concerns all of them."""
        files = [file for file in self.folder.files if _FILE.fullmatch(file)]
        check_any(self.folder, files, "files such as person01_boxing_d1_uncomp.avi")
        lists = self._lists()
        return (Unit(file, (file, *lists)) for file in files)

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per sequence."""
        name = _FILE.fullmatch(unit.name)
        assert name is not None
        video = self._video(unit.name)
        for recording, first, last in self._sequences(unit.name, name["video"], len(video)):
            if not 1 <= first < last <= len(video):
                yield Flaw(unit.name, recording, f"{SEQUENCES} lists frames that the video has not")
                continue
            length = last - first + 1
            camera = Camera("", length, video.height, video.width, channels=1, fps=video.rate)
            yield Recording(
                name=recording,
                file=unit.name,
                cameras=(camera,),
                domain=name["action"].lower(),
                part=part_of(name["person"]),
                place={"first": first - 1},
            )

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some frames of a sequence."""
        video, first = self._video(recording.file), recording.place["first"]
        colors = video.frames(range(first + steps.start, first + steps.stop))
        return Frames(np.stack([_luma(frame) for frame in colors]))

    def _video(self, file: str) -> Video:
        """One that was cut short still holds the first of its listed sequences."""
        return video_file(self.folder.local(file), partial=bool(self._lists()))

    def _lists(self) -> list[str]:
        return [file for file in self.folder.files if PurePosixPath(file).name == SEQUENCES][:1]

    def _sequences(self, file: str, video: str, length: int) -> Iterator[tuple[str, int, int]]:
        """Name, first and last frame of each recording in a video."""
        lists = self._lists()
        if not lists:
            yield file, 1, length
            return
        for number, (first, last) in enumerate(
            _ranges(self.folder.content(lists[0]).decode("latin-1"), video), 1
        ):
            yield f"{file}/{number}", first, last


def _ranges(text: str, video: str) -> Sequence[tuple[int, int]]:
    """Ranges of a video's line, numbers as they are listed.

    Raises:
        InputError: There is no such line, or it holds something else.
    """
    lines = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    listed = next((line["ranges"] for line in lines if line and line["video"] == video), None)
    if listed is None:
        raise InputError(f"{SEQUENCES} has no line of frames for it")
    ranges = [_RANGE.fullmatch(part) for part in listed.rstrip(", ").split(",")]
    return [_numbers(found) for found in ranges]


def _numbers(found: re.Match[str] | None) -> tuple[int, int]:
    if found is None:
        raise InputError(f"expected ranges such as 1-95 in its line of {SEQUENCES}")
    return int(found[1]), int(found[2])


def _luma(frame: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).convert("L"))[..., None]


FORMAT = Format("kth", "KTH action videos", KTH)
