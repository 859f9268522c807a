"""A folder of arrays: each npz or npy file is one recording.

Any array of an npz file that can be pictures is a camera: (T, H, W, C), (T, C, H, W) with 1 or 3
channels, and (T, H, W) of bytes; the latter of other types (depth, say) only if there is no other.
Bytes are taken as they are, whole numbers from 0 to 255 as bytes, floating point from 0 to 1 times
255. Frames stacked along the channels, (T, 3k, H, W) with k of 2 to 4 beside actions, are taken
apart: the newest is last.

For actions and states see `worldmodel.data.formats.plain.npz_signals`; an npy file has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.npy import mapped_npy
from worldmodel.data.files.npz_heads import Head, npz_heads
from worldmodel.data.files.npz_rows import NpzArray, npz_array
from worldmodel.data.format import Format
from worldmodel.data.formats.names import domain, part
from worldmodel.data.formats.plain.npz_signals import ACTIONS, STATES, npz_signals
from worldmodel.data.formats.signals import numbered
from worldmodel.data.reader import Reader, Unit, one_per_file
from worldmodel.data.recording import Camera, Frames, Recording, Signals, no_signals
from worldmodel.errors import InputError, located

SMALLEST_SIDE = 8
"""Pixels; smaller arrays are poses and the like."""

_NPZ, _NPY = ".npz", ".npy"
_STACKS = (6, 9, 12)
_LOOKED_INTO = 5
_PIECE = 16 * 2**20


class _Layout(NamedTuple):
    height: int
    width: int
    channels: int
    channels_first: bool


@final
class Arrays(Reader):
    """Recordings in npz and npy files, in folders by domain or part."""

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether one of the first files holds pictures, or can be nothing else."""
        reader, files = cls(folder), folder.named(_NPZ, _NPY)
        broken = 0
        for file in files[:_LOOKED_INTO]:
            try:
                if reader._cameras(file):
                    return True
            except InputError:
                broken += 1
        return 0 < broken == min(len(files), _LOOKED_INTO) and len(files) == len(folder.files)

    def units(self) -> Iterator[Unit]:
        """One per file."""
        return one_per_file(self.folder, self.folder.named(_NPZ, _NPY), f"*{_NPZ} or *{_NPY} files")

    def scan(self, unit: Unit) -> Iterator[Recording]:
        """A recording per file; pictures that are no bytes are read to see whether they can be."""
        cameras = self._cameras(unit.name)
        lengths = {self._array(unit.name, key).shape[0] for key in cameras}
        if len(lengths) > 1:
            raise InputError(f"cameras differ in their number of frames: {sorted(lengths)}")
        length = lengths.pop()
        if length < 2:
            raise InputError(f"expected at least 2 frames, got {length}")
        for key in cameras:
            _check_pictures(self._array(unit.name, key), cameras[key])
        signals = self._signals(unit.name, length)
        names = numbered("action", signals.actions.shape[1])
        yield Recording(
            name=unit.name,
            file=unit.name,
            cameras=tuple(Camera(key, length, *layout[:3]) for key, layout in cameras.items()),
            domain=domain(self.folder, unit.name),
            action_names=names,
            action_units=("",) * len(names),
            state_names=numbered("state", signals.states.shape[1]),
            part=part(unit.name),
        )

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Read some frames."""
        with located(frame=steps):
            array = self._array(recording.file, camera.name)
            layout = _layout(array, bool(recording.action_names))
            if layout is None or layout[:3] != (camera.height, camera.width, camera.channels):
                raise InputError(f"no pictures of {camera.height}x{camera.width} in {array.shape}")
            return Frames(_pixels(_rows(array, steps), layout))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and states."""
        return self._signals(recording.file, camera.length)

    def _signals(self, file: str, length: int) -> Signals:
        if _is_npz(file):
            return npz_signals(self.folder.local(file), length)
        return no_signals(length)

    def _cameras(self, file: str) -> dict[str, _Layout]:
        """Arrays that can be pictures.

        Raises:
            InputError: There is none; lists what there is.
        """
        heads = self._heads(file)
        stacked = any(key in heads for key in ACTIONS)
        found, flat = {}, {}
        for key, head in heads.items():
            layout = _layout(head, stacked)
            if layout and key not in (*ACTIONS, *STATES):
                plain = len(head.shape) == 3 and head.dtype != np.uint8
                (flat if plain else found)[key] = layout
        if not (found or flat):
            available = (f"{key} {head.dtype} {head.shape}" for key, head in heads.items())
            raise InputError(
                "expected pictures (T, H, W), (T, H, W, 3) or (T, 3, H, W), got "
                + ("; ".join(islice(available, 20)).strip() or "nothing")
            )
        return found or flat

    def _heads(self, file: str) -> dict[str, Head]:
        """By key; of an npy file, which has one, it is empty."""
        if _is_npz(file):
            return npz_heads(self.folder.local(file))
        array = self._array(file, "")
        return {"": Head(array.shape, array.dtype)}

    def _array(self, file: str, key: str) -> NpzArray | np.ndarray:
        path = self.folder.local(file)
        if _is_npz(file):
            return npz_array(path, self.folder.files[file], key)
        return mapped_npy(path)


def _is_npz(file: str) -> bool:
    return file.lower().endswith(_NPZ)


def _layout(array: Head | NpzArray | np.ndarray, stacked: bool) -> _Layout | None:
    """How pictures lie in an array; None if they do not.

    Args:
        array: Any array.
        stacked: Whether channels may be those of several frames.
    """
    shape, layout = array.shape, None
    if array.dtype.kind not in "uif" or len(shape) not in (3, 4):
        return None
    if len(shape) == 3:
        layout = _Layout(shape[1], shape[2], 1, False)
    elif shape[3] in (1, 3):
        layout = _Layout(shape[1], shape[2], shape[3], False)
    elif shape[1] in (1, 3) or (stacked and shape[1] in _STACKS):
        layout = _Layout(shape[2], shape[3], min(shape[1], 3), True)
    return layout if layout and min(layout[:2]) >= SMALLEST_SIDE else None


def _rows(array: NpzArray | np.ndarray, wanted: range) -> np.ndarray:
    if isinstance(array, np.ndarray):
        return np.array(array[wanted.start : wanted.stop])
    return array.rows(wanted)


def _check_pictures(array: NpzArray | np.ndarray, layout: _Layout) -> None:
    """Refuse stacks of another order, and what bytes cannot hold."""
    length = array.shape[0]
    if layout.channels_first and array.shape[1] > 3:
        first = _rows(array, range(min(length, 5)))
        if not np.array_equal(first[1:, :-3], first[:-1, 3:]):
            raise InputError(f"expected stacked frames, the newest last, got {array.shape}")
    if array.dtype == np.uint8:
        return
    few = max(1, _PIECE // max(1, array.dtype.itemsize * int(np.prod(array.shape[1:]))))
    for start in range(0, length, few):
        _pixels(_rows(array, range(start, min(length, start + few))), layout)


def _pixels(stored: np.ndarray, layout: _Layout) -> np.ndarray:
    """Pictures as bytes, (n, H, W, C)."""
    if stored.ndim == 3:
        stored = stored[..., None]
    elif layout.channels_first:
        stored = stored[:, -layout.channels :].transpose(0, 2, 3, 1)
    if stored.dtype == np.uint8:
        return np.ascontiguousarray(stored)
    highest = 1 if stored.dtype.kind == "f" else 255
    if stored.size and not (stored.min() >= 0 and stored.max() <= highest):
        raise InputError(
            f"expected pictures of {stored.dtype} to be from 0 to {highest}, "
            f"got {stored.min():g} to {stored.max():g}"
        )
    scaled = np.rint(stored.astype(np.float64) * 255) if highest == 1 else stored
    return np.ascontiguousarray(scaled, np.uint8)


FORMAT = Format("arrays", "folder of arrays", Arrays)
