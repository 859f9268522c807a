"""Moving MNIST as its users pass it on: clips that were drawn once, in one file.

`mnist_test_seq.npy` holds the test clips of Srivastava et al. (2015), uint8 (20, N, 64, 64).
`moving-mnist-{train,valid,test}.npz` belong to PredRNN, https://github.com/thuml/predrnn-pytorch
(`mnist.py`): the frames of all clips are in `input_raw_data` (F, C, H, W), and `clips` (2, N, 2)
says of each clip's input, then of each clip's output, which frame is the first and how many follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.npy import mapped_npy
from worldmodel.data.files.npz_rows import NpzArray, npz_array
from worldmodel.data.format import Format
from worldmodel.data.reader import ActionFree, Unit, one_per_file
from worldmodel.data.recording import Camera, Flaw, Frames, Part, Recording
from worldmodel.errors import InputError, located

PARTS: dict[str, Part] = {"train": "train", "valid": "validation", "test": "test"}

_FILE = re.compile(r"mnist_test_seq.*\.npy|moving-mnist-(train|valid|test)\.npz", re.IGNORECASE)


@final
class MovingMNISTFile(ActionFree):
    """A recording per clip; pixels of floating point, from 0 to 1, become the nearest bytes."""

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a file of such a name."""
        return bool(_files(folder))

    def units(self) -> Iterator[Unit]:
        """One per file."""
        return one_per_file(
            self.folder, _files(self.folder), "mnist_test_seq.npy or moving-mnist-*.npz"
        )

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per clip."""
        return self._columns(unit.name) if _is_npy(unit.name) else self._clips(unit.name)

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Read some frames."""
        file, clip = recording.file, recording.place["clip"]
        with located(frame=steps):
            if _is_npy(file):
                pixels = self._mapped(file)[steps.start : steps.stop, clip]
                return Frames(np.array(pixels)[..., None])
            raw = self._array(file, "input_raw_data")
            stored = np.concatenate([raw.rows(own) for own in _stretches(clip, steps) if own])
            return Frames(_bytes(np.moveaxis(stored, 1, 3)))

    def _columns(self, file: str) -> Iterator[Recording]:
        length, clips, height, width = self._mapped(file).shape
        for clip in range(clips):
            yield _recording(file, clip, (length, height, width, 1), clip)

    def _clips(self, file: str) -> Iterator[Recording | Flaw]:
        raw, clips = self._array(file, "input_raw_data"), self._array(file, "clips")
        if len(raw.shape) != 4 or raw.dtype not in (np.uint8, np.float32, np.float64):
            raise InputError(
                f"expected 'input_raw_data' to be uint8 or floating point (F, C, H, W), "
                f"got {raw.dtype} {raw.shape}"
            )
        if len(clips.shape) != 3 or clips.shape[::2] != (2, 2) or clips.dtype.kind not in "iu":
            raise InputError(
                f"expected 'clips' to be whole numbers (2, N, 2), got {clips.dtype} {clips.shape}"
            )
        frames, channels, height, width = raw.shape
        places = clips.rows(range(2)).swapaxes(0, 1).tolist()
        for number, place in enumerate(places):
            try:
                if any(min(first, count, frames - first - count) < 0 for first, count in place):
                    raise InputError("expected a clip within the frames of its file")
                shape = place[0][1] + place[1][1], height, width, channels
                yield _recording(file, number, shape, place)
            except InputError as error:
                yield Flaw.of(error, file, f"{file}/{number}")

    def _array(self, file: str, key: str) -> NpzArray:
        return npz_array(self.folder.local(file), self.folder.files[file], key)

    def _mapped(self, file: str) -> np.ndarray:
        array = mapped_npy(self.folder.local(file))
        if array.ndim != 4 or array.dtype != np.uint8:
            raise InputError(f"expected clips, uint8 (T, N, H, W), got {array.dtype} {array.shape}")
        return array


def _files(folder: Folder) -> list[str]:
    return [file for file in folder.files if _FILE.fullmatch(PurePosixPath(file).name)]


def _part(file: str) -> Part:
    return next(part for name, part in PARTS.items() if name in PurePosixPath(file).name.lower())


def _is_npy(file: str) -> bool:
    return file.lower().endswith(".npy")


def _recording(file: str, number: int, shape: tuple[int, int, int, int], clip: Any) -> Recording:
    return Recording(
        name=f"{file}/{number}",
        file=file,
        cameras=(Camera("", *shape),),
        domain="Moving MNIST",
        part=_part(file),
        place={"clip": clip},
    )


def _stretches(clip: Any, steps: range) -> tuple[range, range]:
    """Where a clip's input and output are among the frames of its file."""
    (first, inputs), (second, outputs) = clip
    return (
        range(first, first + inputs)[steps.start : steps.stop],
        range(second, second + outputs)[max(0, steps.start - inputs) : max(0, steps.stop - inputs)],
    )


def _bytes(stored: np.ndarray) -> np.ndarray:
    if stored.dtype == np.uint8:
        return stored
    if not (stored.min() >= 0 and stored.max() <= 1):
        raise InputError(f"expected pixels from 0 to 1, got {stored.min():g} to {stored.max():g}")
    return np.rint(255 * stored).astype(np.uint8)


FORMAT = Format("moving-mnist", "Moving MNIST file", MovingMNISTFile)
