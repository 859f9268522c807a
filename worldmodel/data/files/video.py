"""Videos to frames, by their number in order of display, and back.

The chroma of 64x64 pictures is kept whole (4:4:4): on saturated objects the usual 4:2:0 costs
18 dB and saves no time worth having.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import final

import av
import numpy as np
from av.codec.context import CodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from worldmodel.errors import InputError

FRAME_RATE = 10
"""Frames per second written into a video whose rate is unknown; only players see it."""

SLOWEST = 65_535
"""Seconds per frame that a written video can say at most."""

CONSTANT_RATE_FACTOR = 12
"""Quality of H.264, 0 (best) to 51; about 46 dB on 64x64 recordings."""

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg")
"""How files of videos end."""


@final
class Video:
    """A video whose frames can be decoded by number; holds no open file.

    Opening reads the whole file's index, but decodes nothing.

    Args:
        source: File, or the bytes of one.
        partial: Take the frames that a file which was cut short still holds.

    Attributes:
        times: When each frame is shown, in seconds, rising. Shape (n,).
        height: Of a frame, in pixels.
        width: Of a frame, in pixels.
        rate: Frames per second on average; 0 if the file does not say.

    Raises:
        InputError: It is no video, or is cut short.
    """

    def __init__(self, source: Path | bytes, partial: bool = False) -> None:
        self._source = source
        with self._opened() as (container, stream):
            packets = [
                (packet.pts, packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.size
            ]
            self.height, self.width = stream.height, stream.width
            self.rate = float(stream.average_rate or 0)
            declared, base = stream.frames, stream.time_base or Fraction(1, FRAME_RATE)
        if len(packets) < (1 if partial else max(1, declared)):
            raise InputError(f"declares {declared} frames and holds {len(packets)}")
        stamps = [pts for pts, _ in packets if pts is not None]
        self._stamped = len(set(stamps)) == len(packets)
        order = sorted(stamps) if self._stamped else range(len(packets))
        self._stamps = np.array(order, np.int64)
        unit = float(base) if self._stamped else 1 / (self.rate or FRAME_RATE)
        self.times = self._stamps * unit

    def __len__(self) -> int:
        return len(self._stamps)

    def frames(self, wanted: Iterable[int]) -> np.ndarray:
        """Decode some frames, from the last key frame before the first of them on.

        Args:
            wanted: Numbers of frames, rising; a number may come several times.

        Returns:
            RGB, uint8 (n, H, W, 3).

        Raises:
            InputError: A frame cannot be decoded undamaged.
        """
        wanted = list(wanted)
        if not 0 <= wanted[0] <= wanted[-1] < len(self):
            raise InputError(
                f"expected frames 0 to {len(self) - 1}, got {wanted[0]} to {wanted[-1]}"
            )
        needed, found = set(wanted), {}
        converter = VideoReformatter()  # one for all frames: making one takes longer than using it
        for number, frame in self._decoded(wanted[0]):
            if number in needed:
                found[number] = self._pixels(number, frame, converter)
            if number >= wanted[-1]:
                break
        if missing := sorted(needed.difference(found)):
            raise InputError(
                f"{len(missing)} of {len(needed)} frames cannot be decoded, first {missing[0]}"
            )
        return np.stack([found[number] for number in wanted])

    def _decoded(self, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames and their numbers, from a frame not after `first` on, until damage."""
        with self._opened() as (container, stream):
            if not self._stamped:
                yield from enumerate(container.decode(stream))
                return
            for target in (first, 0):
                container.seek(int(self._stamps[target]), stream=stream)
                numbered = self._numbered(container.decode(stream))
                number, frame = next(numbered, (first, None))
                if frame is not None and number <= first:
                    yield number, frame
                    yield from numbered
                    return

    def _numbered(self, frames: Iterable[av.VideoFrame]) -> Iterator[tuple[int, av.VideoFrame]]:
        for frame in frames:
            if frame.pts is not None:
                yield int(np.searchsorted(self._stamps, frame.pts)), frame

    def _pixels(self, number: int, frame: av.VideoFrame, converter: VideoReformatter) -> np.ndarray:
        if frame.is_corrupt:
            raise InputError(f"frame {number} of the video is damaged")
        if (frame.height, frame.width) != (self.height, self.width):
            raise InputError(
                f"expected frames of {self.height}x{self.width}, "
                f"got {frame.height}x{frame.width} at frame {number}"
            )
        return converter.reformat(frame, format="rgb24").to_ndarray()

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        source = io.BytesIO(self._source) if isinstance(self._source, bytes) else str(self._source)
        try:
            with av.open(source, "r", metadata_errors="replace") as container:
                if not container.streams.video:
                    raise InputError("holds no video")
                stream = container.streams.video[0]
                codec: CodecContext | None = stream.codec_context
                if codec is None:
                    raise InputError("holds a video of unknown encoding")
                codec.thread_count = 1
                yield container, stream
        except (FFmpegError, OSError) as error:
            raise InputError(f"no readable video ({error.strerror or error})") from error


def video_file(path: Path, partial: bool = False) -> Video:
    """A video whose index is read once per process and version of the file; see `Video`."""
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from error
    return _kept(path, partial, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _kept(path: Path, partial: bool, size: int, changed: int) -> Video:
    return Video(path, partial)


def encode_mp4(frames: Iterable[np.ndarray], rate: float = FRAME_RATE) -> bytes:
    """Encode RGB frames, each uint8 (H, W, 3), as H.264 in mp4."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        options = {"crf": str(CONSTANT_RATE_FACTOR), "preset": "ultrafast"}
        exact = Fraction(rate).limit_denominator(SLOWEST) or Fraction(1, SLOWEST)
        stream = container.add_stream("libx264", rate=exact, options=options)
        assert isinstance(stream, VideoStream)
        stream.pix_fmt = "yuv444p"
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()
