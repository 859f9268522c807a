"""KTH data sets for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import av
import numpy as np
from av.video.stream import VideoStream

from formats.case import Damage, FormatCase, Truth, moving_square
from worldmodel.data.formats.video.kth import KTH
from worldmodel.data.recording import no_signals

LIST = """
This database contains sequences of six classes of actions performed by
25 subjects in four different conditions (see below).

Training:   person11, 12, 13, 14, 15, 16, 17, 18
Validation: person19, 20, 21, 23, 24, 25, 01, 04
Test:       person22, 02, 03, 05, 06, 07, 08, 09, 10


person01_boxing_d1\t\tframes\t1-6, 7-9,
person13_handclapping_d3\t*missing*
person17_walking_d2    \tframes\t4-10, 1-5
"""

VIDEOS = {
    "boxing/person01_boxing_d1_uncomp.avi": (12, ((1, 6), (7, 9))),
    "walking/person17_walking_d2_uncomp.avi": (10, ((4, 10), (1, 5))),
}


def gray(video: int, length: int) -> np.ndarray:
    """Frames of equal channels, uint8 (T, H, W, 3)."""
    return np.repeat(moving_square(video, length)[..., 1:2], 3, axis=3)


def write_video(path: Path, frames: np.ndarray) -> None:
    """MPEG-4 in AVI, as KTH publishes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 10**7
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


@final
class KTHCase(FormatCase):
    """Two videos of two sequences each, some out of order and overlapping."""

    reader = KTH
    tolerance = 3.0

    def write(self, folder: Path) -> list[Truth]:
        """Write two videos and the list."""
        truths = []
        for number, (name, (length, ranges)) in enumerate(VIDEOS.items()):
            frames = gray(number, length)
            write_video(folder / name, frames)
            for index, (first, last) in enumerate(ranges, 1):
                chosen = frames[first - 1 : last, ..., :1]
                truths.append(Truth(f"{name}/{index}", "", chosen, *no_signals(len(chosen))))
        (folder / "00sequences.txt").write_text(LIST)
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the list."""
        boxing, walking = VIDEOS
        both = (f"{walking}/1", f"{walking}/2")
        return {
            "no line": Damage(_listed("person17_walking", "person18_walking"), "no line", both),
            "not frames": Damage(_listed("4-10, 1-5", "4 to 10"), "no line", both),
            "half a range": Damage(_listed("4-10, 1-5", "4-10, 1"), "ranges such as", both),
            "beyond the video": Damage(_listed("4-10", "4-11"), "the video has not", both[:1]),
            "from frame 0": Damage(_listed("4-10", "0-10"), "the video has not", both[:1]),
            "one frame": Damage(_listed("7-9", "7-7"), "the video has not", (f"{boxing}/2",)),
            "backwards": Damage(_listed("7-9", "9-7"), "the video has not", (f"{boxing}/2",)),
            "a large number": Damage(_listed("4-10, 1-5", f"1-{10**30}"), "such as", both),
            "cut frames": Damage(
                _cut(walking), "has not|decoded|damaged|readable", both, when_read=True
            ),
        }


def _listed(old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "00sequences.txt"
        path.write_text(path.read_text().replace(old, new))

    return apply


def _cut(name: str) -> Callable[[Path], None]:
    """Leave the head, and no frame after the second."""

    def apply(folder: Path) -> None:
        content = (folder / name).read_bytes()
        third = [i for i in range(len(content)) if content.startswith(b"00dc", i)][2]
        (folder / name).write_bytes(content[:third])

    return apply
