"""Resized frames in blocks: the last used in memory, all on disk if asked for."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, final

import numpy as np
import torch
from torch.nn.functional import interpolate

from worldmodel.data.clips.recent import RecentArrays
from worldmodel.data.files.folder import cache_folder
from worldmodel.data.recording import Camera, Frames
from worldmodel.data.source import Source
from worldmodel.whole_file import whole_file

Color = Literal["recorded", "rgb", "gray"]
Fit = Literal["squash", "crop"]

BLOCK = 64
"""Frames of a view that are read, kept and dropped together."""

VERSION = 1
"""To be raised with every change of what frames become, so that none that are kept are used."""

DECODED_BYTES = 128 * 2**20
"""Full-size pixels that are in memory at once, at most."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_CHECK_EVERY = 16

_log = logging.getLogger(__name__)


@final
class FrameStore:
    """Blocks of frames in a folder on disk, shared by all processes.

    Blocks are added until the limit is reached, and stay; those of other keys, used longest ago
    first, make room for this one's. Processes that add at the same time may exceed the limit by a
    few blocks.

    Args:
        key: Says what the blocks hold; another key never sees them.
        limit: Most bytes of blocks of all keys; 0 keeps nothing.
        views: Names of all views, `VIEW-VERSION`; blocks of other versions are dropped.
    """

    def __init__(self, key: str, limit: int, views: Sequence[str]) -> None:
        self._root = cache_folder() / "frames"
        self._folder = self._root / hashlib.sha256(key.encode()).hexdigest()[:16]
        self.limit, self._left, self._until_check = limit, 0, 0
        if limit:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                os.utime(self._folder)
                self._drop_outdated(views)
                self._make_room()
            except OSError as error:
                self._give_up(error)

    def read(
        self, view: str, start: int, shape: tuple[int, int, int], steps: range
    ) -> np.ndarray | None:
        """Some frames of a block, uint8 (n, C, H, W), or None if it is not kept.

        Args:
            view: Its name.
            start: First frame of the block.
            shape: Its number of frames, height and width.
            steps: Which of its frames.
        """
        if not self.limit:
            return None
        try:
            with open(self._path(view, start), "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                pixels = shape[0] * shape[1] * shape[2]
                if size == 0 or size % pixels:
                    return None
                picture = size // shape[0]
                data = os.pread(file.fileno(), len(steps) * picture, steps.start * picture)
        except OSError:
            return None
        return np.frombuffer(data, np.uint8).reshape(len(steps), -1, *shape[1:])

    def write(self, view: str, start: int, block: np.ndarray) -> None:
        """Keep a block, uint8 (n, C, H, W), if there is room for it."""
        if not self.limit:
            return
        try:
            self._write(self._path(view, start), block)
        except OSError as error:
            self._give_up(error)

    def _write(self, path: Path, block: np.ndarray) -> None:
        if self._until_check == 0:
            self._left = self.limit - sum(size for _, size in _files(self._root))
            self._until_check = _CHECK_EVERY
        self._until_check -= 1
        if block.nbytes > self._left:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished, open(unfinished, "wb") as file:
            file.write(block.data)
            file.flush()
            os.fsync(file.fileno())
        self._left -= block.nbytes

    def _give_up(self, error: OSError) -> None:
        """Go on without the folder: it only saves time."""
        _log.warning("frames are kept on disk no more: %s", error)
        self.limit = 0

    def _path(self, view: str, start: int) -> Path:
        return self._folder / f"{view}-{start}"

    def _drop_outdated(self, views: Sequence[str]) -> None:
        """Drop the blocks of other versions of these views."""
        versions = dict(name.split("-") for name in views)
        for name, _ in _files(self._folder):
            view, _, rest = name.partition("-")
            if view in versions and rest.partition("-")[0] != versions[view]:
                (self._folder / name).unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Drop the blocks of other keys, those opened longest ago first, while over the limit."""
        folders = sorted(self._root.iterdir(), key=_last_used)
        sizes = {folder: sum(size for _, size in _files(folder)) for folder in folders}
        for folder in folders:
            if sum(sizes.values()) < self.limit or folder == self._folder:
                break
            shutil.rmtree(folder, ignore_errors=True)
            del sizes[folder]


@final
class FrameBlocks:
    """Frames of a source, resized; a copy sent to another process starts with nothing in memory.

    Args:
        source: The recordings.
        size: Height and width (H, W) to resize to.
        fit: How a picture gets that shape, see `resized`.
        color: Whether to make all pictures RGB or gray.
        memory: Most bytes of blocks to keep in memory; 0 keeps none.
        disk: Most bytes of blocks to keep on disk, over all data sets; 0 keeps none.
    """

    def __init__(
        self,
        source: Source,
        size: tuple[int, int],
        fit: Fit,
        color: Color,
        memory: int,
        disk: int = 0,
    ) -> None:
        self._source, self._size = source, size
        self._fit: Fit = fit
        self._color: Color = color
        self._memory = RecentArrays(memory)
        self._names = [_name(source, index) for index in range(len(source))] if disk else []
        key = f"{source.origin} {size} {fit} {color} {VERSION}"
        self._disk = FrameStore(key, disk, self._names)

    def frames(self, index: int, steps: range) -> np.ndarray:
        """Some frames of a view.

        Args:
            index: Of the view.
            steps: Consecutive frames.

        Returns:
            uint8 (n, C, H, W); where values can be missing, a last channel is 255 where they are.

        Raises:
            InputError: A picture is damaged.
        """
        parts = []
        for number in range(steps.start // BLOCK, (steps.stop - 1) // BLOCK + 1):
            block = self._bounds(index, number)
            own = range(max(steps.start, block.start), min(steps.stop, block.stop))
            parts.append(
                self._part(index, block, range(own.start - block.start, own.stop - block.start))
            )
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _bounds(self, index: int, number: int) -> range:
        return range(
            BLOCK * number, min(BLOCK * (number + 1), self._source.views[index].camera.length)
        )

    def _part(self, index: int, block: range, own: range) -> np.ndarray:
        """Some frames of a block, from the nearest place that has them."""
        kept = self._memory.get((index, block.start))
        if kept is not None:
            return kept[own.start : own.stop]
        name = self._names[index] if self._disk.limit else ""
        stored = self._disk.read(name, block.start, (len(block), *self._size), own)
        if stored is not None:
            return stored
        if not self._memory.capacity and not self._disk.limit:
            return self._decoded(index, range(block.start + own.start, block.start + own.stop))
        pixels = self._decoded(index, block)
        self._memory.put((index, block.start), pixels)
        self._disk.write(name, block.start, pixels)
        return pixels[own.start : own.stop]

    def _decoded(self, index: int, steps: range) -> np.ndarray:
        """Frames from the source, resized a few at a time."""
        own = pieces(self._source.views[index].camera, steps)
        return np.concatenate([self._resized(self._source.frames(index, few)) for few in own])

    def _resized(self, frames: Frames) -> np.ndarray:
        colors = colored(frames.pixels, self._color)
        pixels = resized(colors, self._size, self._fit)
        if frames.missing is not None:
            pixels = self._with_missing(pixels, frames.missing)
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))

    def _with_missing(self, pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Means of what was measured, 0 where less than half was, and a channel that says where."""
        seen = np.where(missing, 0, 255).astype(np.uint8)[..., None]
        share = resized(seen, self._size, self._fit)
        means = pixels * (255.0 / np.maximum(share, 1))
        hidden = share < 128
        measured = np.where(hidden, 0, np.rint(np.minimum(means, 255))).astype(np.uint8)
        return np.concatenate([measured, np.where(hidden, 255, 0).astype(np.uint8)], axis=3)


def _name(source: Source, index: int) -> str:
    """Of a view and the version of its files."""
    recording, camera = source.views[index]
    texts = f"{recording.name} {camera.name}", recording.version
    return "-".join(hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts)


def pieces(camera: Camera, steps: range | None = None) -> list[range]:
    """Steps of a camera, all if left out, in stretches that fit into memory at full size."""
    steps = range(camera.length) if steps is None else steps
    few = max(1, DECODED_BYTES // (camera.height * camera.width * camera.channels))
    return [steps[start : start + few] for start in range(0, len(steps), few)]


def resized(frames: np.ndarray, size: tuple[int, int], fit: Fit) -> np.ndarray:
    """Resize frames without aliasing.

    Args:
        frames: uint8 (T, h, w, C).
        size: Height and width (H, W).
        fit: "squash" keeps all of a picture and changes its aspect ratio, "crop" keeps the aspect
            ratio and the centre.

    Returns:
        uint8 (T, H, W, C).
    """
    if fit == "crop":
        height, width = frames.shape[1:3]
        tall = max(1, min(height, width * size[0] // size[1]))
        wide = max(1, min(width, height * size[1] // size[0]))
        top, left = (height - tall) // 2, (width - wide) // 2
        frames = frames[:, top : top + tall, left : left + wide]
    if frames.shape[1:3] == size:
        return frames
    pixels = torch.from_numpy(np.require(frames, requirements="W")).permute(0, 3, 1, 2)
    small = interpolate(pixels, size, mode="bilinear", antialias=True)
    return small.permute(0, 2, 3, 1).contiguous().numpy()


def colored(frames: np.ndarray, color: Color) -> np.ndarray:
    """Frames, uint8 (T, H, W, C), with three channels, with their luma alone, or as they are."""
    if color == "rgb" and frames.shape[3] == 1:
        return np.repeat(frames, 3, axis=3)
    if color == "gray" and frames.shape[3] == 3:
        return np.rint(frames @ _LUMA).astype(np.uint8)[..., None]
    return frames


def _last_used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of all files in a folder and below, as far as no other process drops them."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir():
                    yield from _files(Path(entry.path))
                else:
                    yield entry.name, entry.stat().st_size
