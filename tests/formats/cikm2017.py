"""CIKM AnalytiCup 2017 data sets for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import final

import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square
from worldmodel.data.formats.radar.cikm2017 import CAMERAS, CIKM2017
from worldmodel.data.recording import no_signals

SAMPLES = {"testB.txt": ("testB_1",), "train.txt": ("train_1", "train_2")}
TIMES, SIDE = 15, 101


def sample_line(name: str, numbers: np.ndarray) -> bytes:
    """A line of a file, of numbers (times, heights, rows, columns)."""
    return f"{name},12.7,{' '.join(map(str, numbers.ravel().tolist()))}\n".encode()


@lru_cache
def _sample(number: int) -> tuple[np.ndarray, bytes]:
    """Numbers of a sample, one corner of which was not measured; and as they are written."""
    numbers = np.stack(
        [
            moving_square(number + level, TIMES, SIDE, SIDE)[..., 1].astype(int) // 10
            for level in range(len(CAMERAS))
        ],
        axis=1,
    )
    numbers[:, 0, :3, :4] = -1
    return numbers, sample_line("", numbers)


@final
class CIKM2017Case(FormatCase):
    """Three samples of four heights in two files."""

    reader = CIKM2017

    def write(self, folder: Path) -> list[Truth]:
        """Write the files."""
        truths = []
        for file, names in SAMPLES.items():
            with open(folder / file, "wb") as stream:
                for name in names:
                    numbers, line = _sample(len(truths) // len(CAMERAS))
                    stream.write(name.encode() + line)
                    for level, camera in enumerate(CAMERAS):
                        values = numbers[:, level, ..., None]
                        truths.append(
                            Truth(
                                f"{file}/{name}",
                                camera,
                                np.maximum(values, 0).astype(np.uint8),
                                *no_signals(TIMES),
                                values[..., 0] < 0,
                            )
                        )
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the first sample of the last file, or to the line after it."""
        first, second = "train.txt/train_1", "train.txt/train_2"
        return {
            "too few numbers": Damage(
                _first_line(lambda line: line[:-99] + b"\n"), "got", (first,)
            ),
            "too many numbers": Damage(
                _first_line(lambda line: line[:-1] + b" 1 2\n"), "got 612062", (first,)
            ),
            "words": Damage(
                _first_line(lambda line: line.replace(b" 6 ", b" x ", 1)), "whole numbers", (first,)
            ),
            "not a number": Damage(
                _first_line(lambda line: line.replace(b" 6 ", b" nan ", 1)), "whole", (first,)
            ),
            "no id": Damage(_first_line(lambda line: line[7:]), "lines of an id", (first,)),
            "a huge line": Damage(
                _first_line(lambda line: line[:-1] + b" 1" * 10**7 + b"\n"), "numbers per", (first,)
            ),
            "one id twice": Damage(_copied, "comes twice", ()),
            "more than a byte": Damage(
                _first_line(lambda line: line.replace(b" 6 ", b" 300 ")),
                "expected -1 to 255",
                (first,),
                when_read=True,
            ),
            "less than nothing": Damage(
                _first_line(lambda line: line.replace(b" 6 ", b" 6- ")),
                "whole numbers",
                (first,),
                when_read=True,
            ),
            "the end of a line is lost": Damage(
                _first_line(lambda line: line[:-1]), "numbers", (first, second)
            ),
        }


def _first_line(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        first, second = (folder / "train.txt").read_bytes().splitlines(keepends=True)
        (folder / "train.txt").write_bytes(change(first) + second)

    return apply


def _copied(folder: Path) -> None:
    with open(folder / "train.txt", "ab") as stream:
        stream.write(b"train_1" + _sample(0)[1])
