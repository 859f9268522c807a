"""Pictures for a success classifier, from folders of pictures and from recordings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from worldmodel.data.clips.blocks import FrameBlocks
from worldmodel.data.files.pictures import decode_picture
from worldmodel.data.opening import open_source
from worldmodel.errors import InputError, located

SUFFIXES = (".png", ".jpg", ".jpeg")
"""What makes a folder one of pictures."""


class Pictures(NamedTuple):
    """Pictures of one kind: all done, or all not done.

    Attributes:
        frames: Values in [0, 1]. Shape (P, C, H, W).
        groups: Of what belongs together, the recording or the picture itself. Shape (P,).
    """

    frames: Tensor
    groups: Tensor


def done(path: str, size: tuple[int, int], channels: int) -> Pictures:
    """Pictures of a folder, or the last frames of recordings.

    Args:
        path: Folder of pictures, or folder, file or URL of recordings.
        size: Height and width, to which recordings are brought and which pictures must have.
        channels: 3 for RGB, 1 for gray.

    Raises:
        InputError: There are none, they are damaged, or pictures have another size.
    """
    if files := _files(path):
        return _pictures(files, size, channels)
    return _recorded(path, size, channels, share=0.0, most=1)


def not_done(path: str, size: tuple[int, int], channels: int, share: float, most: int) -> Pictures:
    """Pictures of a folder, or frames of recordings that lie far from the end.

    Args:
        path: See `done`.
        size: See `done`.
        channels: See `done`.
        share: First part of a recording that counts as far from the end, in (0, 1).
        most: Frames to take of a recording, spread evenly over that part.

    Raises:
        InputError: See `done`.
    """
    if files := _files(path):
        return _pictures(files, size, channels)
    return _recorded(path, size, channels, share, most)


def _files(path: str) -> list[Path]:
    folder = Path(path)
    if not folder.is_dir():
        return []
    if not any(folder.iterdir()):
        raise InputError(
            f"{path}: expected pictures ({', '.join(SUFFIXES)}) or recordings, got an empty folder"
        )
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def _pictures(files: list[Path], size: tuple[int, int], channels: int) -> Pictures:
    frames = []
    for file in files:
        with located(file=str(file)):
            frames.append(decode_picture(file.read_bytes(), size, channels))
    return _of(frames, range(len(frames)))


def _recorded(path: str, size: tuple[int, int], channels: int, share: float, most: int) -> Pictures:
    """Last frames of recordings if the share is 0, else frames of that first part of them."""
    source = open_source([path])
    blocks = FrameBlocks(source, size, "squash", "gray" if channels == 1 else "rgb", memory=0)
    frames, groups = [], []
    for index, view in enumerate(source.views):
        last = view.camera.length - 1
        chosen = _spread(int(share * last), most) if share else [last]
        for step in chosen:
            pixels = blocks.frames(index, range(step, step + 1))[0, :channels]
            frames.append(np.moveaxis(pixels, 0, -1))
            groups.append(index)
    return _of(frames, groups)


def _spread(stop: int, most: int) -> list[int]:
    """At most so many of the steps 0 to `stop`, spread evenly."""
    return sorted({round(step) for step in np.linspace(0, stop, most)})


def _of(frames: list[np.ndarray], groups: Iterable[int]) -> Pictures:
    pixels = torch.from_numpy(np.stack(frames)).movedim(-1, 1).float() / 255
    return Pictures(pixels, torch.tensor(list(groups)))
