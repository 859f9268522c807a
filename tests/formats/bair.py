"""BAIR pushing data sets for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from formats.records import Features, changed, flipped, framed, replaced, write_records
from worldmodel.data.formats.robots.bair import BAIR

TRAIN, TEST = (
    "softmotion30_44k/train/traj_0_to_2.tfrecords",
    "softmotion30_44k/test/traj_0_to_0.tfrecords",
)


@final
class BAIRCase(FormatCase):
    """A file of three recordings to train on, and one of one to test on."""

    reader = BAIR

    def write(self, folder: Path) -> list[Truth]:
        """Write both files."""
        truths = []
        for file, lengths in ((TEST, (4,)), (TRAIN, (5, 3, 6))):
            records = []
            for number, length in enumerate(lengths):
                cameras = [moving_square(number + 4 * c, length, 64, 64) for c in range(2)]
                actions, states = walk(length, length, 4), walk(number + 9, length, 3)
                records.append(recording(cameras, actions, states))
                truths += [
                    Truth(f"{file}/{number}", name, pixels, actions[:-1], states)
                    for name, pixels in zip(("image_main", "image_aux1"), cameras, strict=True)
                ]
            write_records(folder / file, records)
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second recording of three."""
        lost = (f"{TRAIN}/1",)
        rest = (*lost, f"{TRAIN}/2")
        return {
            "nan action": Damage(_edited("1/action", [0, np.nan, 0, 0]), "NaN or inf", lost),
            "infinite state": Damage(_edited("0/endeffector_pos", [np.inf] * 3), "NaN or", lost),
            "short action": Damage(_edited("1/action", [0.0]), "to have 4 values, got 1", lost),
            "integer action": Damage(_edited("1/action", [1] * 4, "int"), "float_list", lost),
            "small picture": Damage(
                _edited("2/image_main/encoded", [bytes(99)], "byte"), "of 12288 bytes", lost
            ),
            "no picture": Damage(_edited("2/image_aux1/encoded"), "no feature '2/image_aux1", lost),
            "a gap": Damage(_edited("1/action"), "no feature '1/action'", lost),
            "more pictures": Damage(
                _edited("3/image_main/encoded", [bytes(12288)], "byte"), "no feature '3/", lost
            ),
            "a far step": Damage(_edited("9999/action", [0.0] * 4), "no feature '3/", lost),
            "one step": Damage(_kept("0/"), "at least 2 usable frames, got 1", lost),
            "no step": Damage(_kept("none"), "at least 2 usable frames, got 0", lost),
            "flipped byte": Damage(replaced(TRAIN, 1, flipped(500)), "from its checksum", lost),
            "flipped checksum": Damage(replaced(TRAIN, 1, flipped(-1)), "its checksum", lost),
            "no example": Damage(
                replaced(TRAIN, 1, lambda _: framed(b"\xff" * 9)), "no tf.train.Example", lost
            ),
            "flipped length": Damage(replaced(TRAIN, 1, flipped(3)), "length of a record", rest),
            "huge length": Damage(
                replaced(TRAIN, 1, lambda _: framed(b"", 2**62)), "ends within a record", rest
            ),
            "cut record": Damage(
                replaced(TRAIN, 2, lambda data: data[:-1]), "ends within a record", rest[1:]
            ),
            "cut head": Damage(
                replaced(TRAIN, 2, lambda data: data[:7]), "ends within a record", rest[1:]
            ),
            "missing record": Damage(
                replaced(TRAIN, 2, lambda data: b""), "at least 3 records, got 2", rest[1:]
            ),
        }


def recording(cameras: list[np.ndarray], actions: np.ndarray, states: np.ndarray) -> Features:
    """A record of two cameras."""
    found: dict[str, tuple[Any, str]] = {}
    for step in range(len(actions)):
        found[f"{step}/action"] = list(actions[step]), "float"
        found[f"{step}/endeffector_pos"] = list(states[step]), "float"
        found[f"{step}/image_main/encoded"] = [cameras[0][step].tobytes()], "byte"
        found[f"{step}/image_aux1/encoded"] = [cameras[1][step].tobytes()], "byte"
    return found


def _edited(
    key: str, values: list[Any] | None = None, kind: str = "float"
) -> Callable[[Path], None]:
    def change(record: dict[str, tuple[Any, str]]) -> None:
        record.pop(key, None)
        if values is not None:
            record[key] = values, kind

    return changed(TRAIN, 1, change)


def _kept(start: str) -> Callable[[Path], None]:
    def change(record: dict[str, tuple[Any, str]]) -> None:
        for key in [key for key in record if not key.startswith(start)]:
            del record[key]

    return changed(TRAIN, 1, change)
