"""The index: built once, resumed, and renewed for what has changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from worldmodel.data.files.folder import Folder
from worldmodel.data.format import Format
from worldmodel.data.index import Scanned, scanned
from worldmodel.data.reader import Reader, Unit
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals, no_signals
from worldmodel.errors import InputError, UnavailableError


class Texts(Reader):
    """A file of two words is a recording per word; one that is empty is damaged."""

    scans: tuple[str, ...] = ()
    interrupt_at = ""
    unreachable = False
    odd = ""

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        return bool(folder.named(".txt"))

    def units(self) -> Iterator[Unit]:
        return (Unit(name, (name,)) for name in self.folder.named(".txt"))

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        if unit.name == self.interrupt_at:
            raise KeyboardInterrupt
        if self.unreachable:
            raise UnavailableError("no answer")
        self.scans = (*self.scans, unit.name)
        if self.odd:
            yield Flaw(unit.name, self.odd, self.odd)
            return
        words = self.folder.local(unit.name).read_text().split()
        if not words:
            raise InputError("no words")
        for number, word in enumerate(words):
            if word == "bad":
                yield Flaw(unit.name, f"{unit.name}/{number}", "a bad word")
                continue
            yield Recording(
                name=f"{unit.name}/{number}",
                file=unit.name,
                cameras=(
                    Camera("left", len(word), 4, 4, channels=1, fps=5.0, place={"nested": [3]}),
                    Camera("right", 2, 4, 6, channels=3),
                ),
                domain=word,
                action_names=("dx", "grip"),
                action_units=("m", ""),
                part="test",
                place={"number": number, "list": [1, 2]},
            )

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        return Frames(np.zeros((len(steps), 4, 4, 1), np.uint8))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        return no_signals(camera.length)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("north south")
    (folder / "b.txt").write_text("east bad")
    (folder / "c.txt").write_text("")
    return folder


def scan(folder: Path) -> tuple[Texts, Scanned]:
    reader = Texts(Folder(folder))
    return reader, scanned(reader)


def test_a_second_scan_reads_nothing_and_finds_the_same(texts: Path) -> None:
    first, found = scan(texts)
    again, same = scan(texts)
    assert first.scans == ("a.txt", "b.txt", "c.txt")
    assert again.scans == ()
    assert repr(same) == repr(found)  # NaN differs from itself
    assert [recording.name for recording in found.recordings] == ["a.txt/0", "a.txt/1", "b.txt/0"]
    assert found.flaws == (
        Flaw("b.txt", "b.txt/1", "a bad word"),
        Flaw("c.txt", "", "no words"),
    )


def test_what_has_changed_is_scanned_again_and_gets_another_version(texts: Path) -> None:
    _, found = scan(texts)
    (texts / "a.txt").write_text("north south west")
    (texts / "c.txt").unlink()
    (texts / "d.txt").write_text("new")
    reader, renewed = scan(texts)
    assert reader.scans == ("a.txt", "d.txt")
    assert [recording.domain for recording in renewed.recordings] == [
        "north",
        "south",
        "west",
        "east",
        "new",
    ]
    assert [flaw.file for flaw in renewed.flaws] == ["b.txt"]
    assert renewed.recordings[0].version != found.recordings[0].version
    assert renewed.recordings[3].version == found.recordings[2].version


def test_a_changed_time_alone_counts_as_a_change(texts: Path) -> None:
    scan(texts)
    os.utime(texts / "b.txt", ns=(1, 1))
    assert scan(texts)[0].scans == ("b.txt",)


def test_another_version_of_the_format_scans_anew(
    texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = scan(texts)
    monkeypatch.setattr(Texts, "version", 2)
    reader, same = scan(texts)
    assert reader.scans == ("a.txt", "b.txt", "c.txt")
    assert [recording.version for recording in same.recordings] != [
        recording.version for recording in found.recordings
    ]


def test_an_interrupted_scan_goes_on_where_it_was(texts: Path) -> None:
    reader = Texts(Folder(texts))
    reader.interrupt_at = "c.txt"
    with pytest.raises(KeyboardInterrupt):
        scanned(reader)
    assert scan(texts)[0].scans == ("c.txt",)


def test_a_damaged_index_is_told_and_built_anew(
    texts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, found = scan(texts)
    (index,) = Path(os.environ["WORLDMODEL_CACHE"], "index").glob("texts-*.parquet")
    assert set(pq.read_table(index)["unit"].to_pylist()) == {"a.txt", "b.txt", "c.txt"}
    index.write_bytes(index.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING):
        reader, same = scan(texts)
    assert "damaged index" in caplog.text
    assert reader.scans == ("a.txt", "b.txt", "c.txt")
    assert repr(same) == repr(found)  # NaN differs from itself


def test_a_file_that_could_not_be_fetched_is_sought_again(texts: Path) -> None:
    reader = Texts(Folder(texts))
    reader.unreachable = True
    assert len(scanned(reader).flaws) == 3
    again, found = scan(texts)
    assert len(again.scans) == 3
    assert len(found.recordings) == 3


def test_a_missing_library_is_told_before_the_scan(texts: Path) -> None:
    class Needy(Texts):
        libraries = ("no_such_library",)

    needy = Format("texts", "texts", Needy, extra="worldmodel[logs]")
    with pytest.raises(InputError, match=r"no_such_library.*pip install 'worldmodel\[logs\]'"):
        needy.open(Folder(texts))


def test_text_that_cannot_be_written_does_no_harm(texts: Path) -> None:
    reader = Texts(Folder(texts))
    reader.odd = "\ud800"
    assert "\ud800" not in repr(scanned(reader))
    assert len(scan(texts)[1].flaws) == 3


def test_a_place_that_cannot_be_written_does_not_stop_the_scan(
    texts: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = texts.parent / "file"
    blocked.write_text("")
    monkeypatch.setenv("WORLDMODEL_CACHE", str(blocked))
    with caplog.at_level(logging.WARNING):
        assert len(scan(texts)[1].recordings) == 3
    assert "the index is not kept" in caplog.text


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDMODEL_CACHE", str(tmp_path / "cache"))
