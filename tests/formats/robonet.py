"""RoboNet data sets for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import h5py
import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from worldmodel.data.formats.robots.robonet.reader import RoboNet
from worldmodel.data.formats.robots.robonet.writer import write_episode

LENGTHS = (6, 9, 7)


@final
class RoboNetCase(FormatCase):
    """Three files of two cameras; the last one holds JPEG pictures."""

    reader = RoboNet
    tolerance = 4.0

    def write(self, folder: Path) -> list[Truth]:
        """Write three files."""
        truths = []
        for number, length in enumerate(LENGTHS):
            cameras = [moving_square(number + 5 * camera, length) for camera in range(2)]
            actions, states = walk(number, length - 1, 5), walk(number + 9, length, 5)
            write_episode(
                folder / f"{number}.hdf5",
                cameras,
                actions,
                states,
                low_bound=states.min(axis=0),
                high_bound=states.max(axis=0),
                metadata={"robot": ("franka", "sawyer")[number % 2]},
                encoding="jpeg" if number == 2 else "mp4",
            )
            truths += [
                Truth(f"{number}.hdf5", f"cam{camera}", frames, actions, states)
                for camera, frames in enumerate(cameras)
            ]
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second file."""
        lost = ("1.hdf5",)
        return {
            "nan action": Damage(_edited("policy/actions", _with(np.nan)), "NaN or infinity", lost),
            "infinite state": Damage(_edited("env/state", _with(np.inf)), "NaN or infinity", lost),
            "no actions": Damage(_edited("policy/actions", None), "no dataset", lost),
            "text actions": Damage(
                _edited("policy/actions", lambda values: np.full(values.shape, b"x")),
                "floating point",
                lost,
            ),
            "one frame": Damage(
                _edited("policy/actions", lambda values: values[:0]), "at least 2 usable", lost
            ),
            "cut video": Damage(
                _edited("env/cam0_video/frames", lambda data: data[:-600]),
                "no readable video|holds|decoded",
                lost,
                when_read=True,
                cameras=("cam0",),
            ),
            "huge video": Damage(_declare_a_terabyte, "cam0: .*declares", lost, cameras=("cam0",)),
        }


def _with(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def changed(values: np.ndarray) -> np.ndarray:
        values[1, 0] = value
        return values

    return changed


def _edited(key: str, change: Callable[[np.ndarray], np.ndarray] | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with h5py.File(folder / "1.hdf5", "a") as file:
            dataset = file[key]
            assert isinstance(dataset, h5py.Dataset)
            values, attributes = dataset[:], dict(dataset.attrs)
            del file[key]
            if change is not None:
                file[key] = change(values)
                file[key].attrs.update(attributes)

    return apply


def _declare_a_terabyte(folder: Path) -> None:
    with h5py.File(folder / "1.hdf5", "a") as file:
        attributes = dict(file["env/cam0_video/frames"].attrs)
        del file["env/cam0_video/frames"]
        huge = file.create_dataset("env/cam0_video/frames", (2**40,), np.uint8, chunks=(2**16,))
        huge.attrs.update(attributes)
