"""A format of another package: one file that touches none of ours."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PIL import Image

from worldmodel import registry
from worldmodel.cli import main
from worldmodel.data.clips.windows import Windows, WindowShape
from worldmodel.data.formats import FORMATS
from worldmodel.data.opening import open_source
from worldmodel.errors import InputError
from worldmodel.registry import Registry

TOY = '''
import numpy as np

from worldmodel.data.format import Format
from worldmodel.data.reader import Reader, one_per_file
from worldmodel.data.recording import Camera, Frames, Recording, Signals
from worldmodel.errors import InputError


class Dots(Reader):
    """Text files of one row per frame: where a dot is, and what moved it there."""

    @classmethod
    def recognises(cls, folder):
        return bool(folder.named(".dots"))

    def units(self):
        return one_per_file(self.folder, self.folder.named(".dots"), "*.dots files")

    def scan(self, unit):
        camera = Camera("above", len(self._rows(unit.name)), height=16, width=16, channels=1)
        yield Recording(unit.name, unit.name, (camera,), "desk", ("dx",), ("pixels",))

    def frames(self, recording, camera, steps):
        pictures = np.zeros((len(steps), 16, 16, 1), np.uint8)
        pictures[range(len(steps)), 8, self._rows(recording.file)[steps, 0].astype(int)] = 255
        return Frames(pictures)

    def signals(self, recording, camera):
        moves = self._rows(recording.file)[1:, 1:]
        return Signals(moves, np.zeros((camera.length, 0)))

    def _rows(self, file):
        try:
            return np.loadtxt(self.folder.local(file), ndmin=2)
        except ValueError as error:
            raise InputError(f"expected two numbers a row ({error})") from error


FORMAT = Format("dots", "rows of dots", Dots)
'''


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is there, and says so."""
    (tmp_path / "toy_dots.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    known = registry.entry_points

    def found(*, group: str) -> Iterator[EntryPoint]:
        yield from known(group=group)
        yield EntryPoint("dots", "toy_dots:FORMAT", group)

    monkeypatch.setattr(registry, "entry_points", found)
    renewed = Registry("format", FORMATS._ours)
    for name in ("worldmodel.data.formats.FORMATS", "worldmodel.data.opening.FORMATS"):
        monkeypatch.setattr(name, renewed)


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    """Three recordings of a dot that moves to the right, and a picture beside them."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(3):
        rows = [f"{number + step} {step > 0:d}" for step in range(8)]
        (folder / f"{number}.dots").write_text("\n".join(rows))
    for number in range(3):
        Image.new("L", (16, 16)).save(folder / f"photo_{number}.png")
    return folder


def test_it_is_one_short_file() -> None:
    assert len(TOY.strip().splitlines()) < 40


def test_its_recordings_become_windows(dots: Path) -> None:
    source = open_source([str(dots)])
    assert [recording.name for recording in source.recordings] == ["0.dots", "1.dots", "2.dots"]
    windows = Windows(source, WindowShape(length=3, stride=2, image_size=16))
    assert len(windows) == 3 * 4
    window = windows[5]
    assert [int(frame[0, 8].argmax()) for frame in window.frames] == [2, 4, 6]
    assert window.actions.tolist() == [[2.0], [2.0]]


def test_its_damage_is_told_like_any_other(dots: Path) -> None:
    (dots / "1.dots").write_text("one two")
    with pytest.raises(InputError, match=r"1\.dots: expected two numbers a row"):
        open_source([str(dots)], strict=True)


def test_commands_know_it(dots: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = dots.parent / "sheet.png"
    assert main(["data", "inspect", str(dots), f"--sheet={sheet}"]) == 0
    shown = capsys.readouterr().out
    assert "| format | rows of dots |" in shown
    assert "above 16x16 gray (3)" in shown
    assert sheet.exists()
    assert main(["data", "inspect", str(dots), "--format=dotz"]) == 2
    assert "did you mean dots?" in capsys.readouterr().err
