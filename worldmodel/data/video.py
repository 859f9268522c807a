"""Frames to compressed bytes and back, with exact frame counts.

The chroma of 64x64 pictures is kept whole (4:4:4): on saturated objects the usual 4:2:0 costs
18 dB and saves no time worth having.
"""

from __future__ import annotations

import io
from itertools import islice

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream
from PIL import Image, UnidentifiedImageError

from worldmodel.errors import InputError

FRAME_RATE = 10
"""Frames per second written into a video; logs are indexed by frame, so only players see it."""

CONSTANT_RATE_FACTOR = 12
"""Quality of H.264, 0 (best) to 51; about 46 dB on 64x64 recordings."""

JPEG_QUALITY = 95
"""Quality of JPEG, 1 to 95."""


def encode_mp4(frames: np.ndarray) -> bytes:
    """Encode RGB frames, uint8 (T, H, W, 3), as H.264 in mp4."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        options = {"crf": str(CONSTANT_RATE_FACTOR), "preset": "ultrafast"}
        stream = container.add_stream("libx264", rate=FRAME_RATE, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv444p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def decode_mp4(data: bytes, shape: tuple[int, int, int, int], origin: str) -> np.ndarray:
    """Decode the first T frames of a video.

    Args:
        data: A whole video file.
        shape: Declared (T, H, W, 3).
        origin: What to call the video in an error.

    Returns:
        RGB frames, uint8 (T, H, W, 3).

    Raises:
        InputError: Fewer than T frames can be decoded undamaged, or they have another size.
    """
    frames, reason = [], ""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if container.streams.video:
                container.streams.video[0].codec_context.thread_count = 1
                for frame in islice(container.decode(video=0), shape[0]):
                    if frame.is_corrupt:
                        reason = " (the next one is damaged)"
                        break
                    frames.append(_checked_size(frame.to_ndarray(format="rgb24"), shape, origin))
    except FFmpegError as error:
        reason = f" ({error.strerror})"
    if len(frames) < shape[0]:
        raise InputError(
            f"{origin}: declares {shape[0]} frames, only {len(frames)} can be decoded{reason}"
        )
    return np.stack(frames)


def encode_jpeg(frame: np.ndarray) -> bytes:
    """Encode an RGB frame, uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def decode_jpeg(data: bytes, shape: tuple[int, int, int], origin: str) -> np.ndarray:
    """Decode a picture to RGB, uint8, of the declared shape (H, W, 3).

    Raises:
        InputError: It is damaged, or has another size; names `origin`.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            frame = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{origin}: not a readable JPEG picture ({error})") from error
    return _checked_size(frame, shape, origin)


def _checked_size(frame: np.ndarray, shape: tuple[int, ...], origin: str) -> np.ndarray:
    height, width = shape[-3:-1]
    if frame.shape[:2] != (height, width):
        raise InputError(
            f"{origin}: declares pictures of {height}x{width}, "
            f"decodes to {frame.shape[0]}x{frame.shape[1]}"
        )
    return frame
