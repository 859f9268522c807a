"""Files of Moving MNIST for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square
from worldmodel.data.formats.video.moving_mnist import MovingMNISTFile
from worldmodel.data.recording import no_signals

TEST, VALID = "mnist_test_seq.npy", "moving-mnist-valid.npz"
CLIPS = (((0, 3), (3, 2)), ((8, 2), (5, 3)))
"""First frame and number of frames, of input and output of each clip in the second file."""


@final
class MovingMNISTFileCase(FormatCase):
    """Two clips in an npy file, two in an npz file, of which one's output is before its input."""

    reader = MovingMNISTFile

    def write(self, folder: Path) -> list[Truth]:
        """Write the files."""
        clips = np.stack([moving_square(number, 6)[..., 1] for number in range(2)])
        np.save(folder / TEST, clips.swapaxes(0, 1))
        frames = moving_square(3, 10)[..., 1]
        write_clips(folder / VALID, frames[:, None], np.array(CLIPS).swapaxes(0, 1))
        return [
            *(_truth(f"{TEST}/{number}", clip) for number, clip in enumerate(clips)),
            _truth(f"{VALID}/0", frames[[0, 1, 2, 3, 4]]),
            _truth(f"{VALID}/1", frames[[8, 9, 5, 6, 7]]),
        ]

    def damages(self) -> Mapping[str, Damage]:
        """Damage to either file."""
        whole_test = f"{TEST}/0", f"{TEST}/1"
        first, second = f"{VALID}/0", f"{VALID}/1"
        both = first, second
        return {
            "floating point": Damage(
                _saved(np.zeros((6, 2, 24, 32), np.float32)), "uint8", whole_test
            ),
            "one clip only": Damage(_saved(np.zeros((6, 24, 32), np.uint8)), "uint8", whole_test),
            "one frame": Damage(
                _saved(np.zeros((1, 2, 24, 32), np.uint8)), "at least 2", whole_test
            ),
            "objects": Damage(_saved(np.full((6, 2, 24, 32), None)), "no readable npy", whole_test),
            "more than the file holds": Damage(_declare_a_terabyte, "no readable npy", whole_test),
            "an archive by the name of an array": Damage(
                _renamed,
                "no readable npy",
                (*whole_test, *both),
            ),
            "no clips": Damage(_changed(clips=None), "no array 'clips'", both),
            "no frames": Damage(_changed(input_raw_data=None), "no array 'input_raw_data'", both),
            "pixels of text": Damage(
                _changed(input_raw_data=np.full((10, 1, 24, 32), "1")), "floating point", both
            ),
            "clips of floating point": Damage(
                _changed(clips=np.zeros((2, 2, 2))), "whole numbers", both
            ),
            "a clip outside of the frames": Damage(
                _changed(clips=np.array([[[0, 3], [9, 2]], [[3, 2], [5, 3]]])),
                "within the frames",
                (second,),
            ),
            "a clip before the frames": Damage(
                _changed(clips=np.array([[[0, 3], [-1, 2]], [[3, 2], [5, 3]]])),
                "within the frames",
                (second,),
            ),
            "a clip of one frame": Damage(
                _changed(clips=np.array([[[0, 3], [5, 1]], [[3, 2], [5, 0]]])),
                "at least 2",
                (second,),
            ),
            "not a number": Damage(
                _changed(input_raw_data=_one_pixel(np.nan)), "from 0 to 1", both, when_read=True
            ),
            "too bright": Damage(
                _changed(input_raw_data=_one_pixel(1.5)), "from 0 to 1", both, when_read=True
            ),
        }


def _truth(name: str, frames: np.ndarray) -> Truth:
    return Truth(name, "", frames[..., None], *no_signals(len(frames)))


def write_clips(path: Path, frames: np.ndarray, clips: np.ndarray) -> None:
    """Write PredRNN's npz, of bytes (F, C, H, W) and places (2, N, 2), as floating point."""
    np.savez_compressed(
        path,
        clips=clips.astype(np.int32),
        dims=np.array([frames.shape[1:]], np.int32),
        input_raw_data=(frames / 255).astype(np.float32),
    )


def _saved(array: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / TEST, array)


def _changed(**arrays: np.ndarray | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with np.load(folder / VALID) as file:
            stored = {key: file[key] for key in file.files}
        kept = {key: array for key, array in (stored | arrays).items() if array is not None}
        np.savez_compressed(folder / VALID, allow_pickle=False, **kept)

    return apply


def _renamed(folder: Path) -> None:
    (folder / VALID).rename(folder / TEST)


def _one_pixel(value: float) -> np.ndarray:
    frames = np.zeros((10, 1, 24, 32), np.float32)
    frames[1:9, 0, 3, 4] = value
    return frames


def _declare_a_terabyte(folder: Path) -> None:
    with open(folder / TEST, "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (20, 2**24, 64, 64)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(10_000))
