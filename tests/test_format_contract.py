"""What every format of recordings must do, over small data sets written as others write them."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from formats.case import FormatCase, Truth
from formats.cases import CASES

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats import FORMATS, format_of
from worldmodel.data.index import scanned
from worldmodel.data.reader import Reader
from worldmodel.data.recording import View
from worldmodel.data.source import LogSource, views_of
from worldmodel.errors import InputError, located

BY_NAME = pytest.mark.parametrize("case", CASES, ids=[type(case).__name__ for case in CASES])
DAMAGES = [
    pytest.param(case, name, id=f"{type(case).__name__}-{name}")
    for case in CASES
    for name in case.damages()
]
HARM = {
    "cut": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "garbage": lambda data: np.random.default_rng(0).bytes(max(64, len(data))),
    "scratched": lambda data: data[: len(data) // 3] + bytes(32) + data[len(data) // 3 + 32 :],
    "removed": lambda data: None,
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDMODEL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for a data set."""
    path = tmp_path / "recordings"
    path.mkdir()
    return path


def test_every_format_has_a_case() -> None:
    assert {case.reader for case in CASES} == {format.reader for format in FORMATS.values()}
    assert all(FORMATS[name].name == name for name in FORMATS)


@BY_NAME
def test_a_data_set_is_recognised_by_its_reader_alone(case: FormatCase, folder: Path) -> None:
    case.write(folder)
    listed = Folder(folder)
    assert format_of(listed).reader is case.reader
    assert case.reader.recognises(listed)


@BY_NAME
def test_what_was_written_is_read(case: FormatCase, folder: Path) -> None:
    truths = case.write(folder)
    reader = case.reader(Folder(folder))
    found = scanned(reader)
    assert found.flaws == ()
    views = views_of(found.recordings)
    assert [(recording.name, camera.name) for recording, camera in views] == [
        (truth.name, truth.camera) for truth in truths
    ]
    assert len(truths) >= 3
    for (recording, camera), truth in zip(views, truths, strict=True):
        size = camera.length, camera.height, camera.width, camera.channels
        assert size == truth.pixels.shape
        assert_is(reader, View(recording, camera), truth, case.tolerance)
        assert not Path(recording.file).is_absolute()


@BY_NAME
def test_a_stretch_is_read_as_the_same_frames_of_the_whole(case: FormatCase, folder: Path) -> None:
    case.write(folder)
    reader = case.reader(Folder(folder))
    for view in views_of(scanned(reader).recordings):
        length = view.camera.length
        whole = reader.frames(*view, range(length))
        for steps in (range(1), range(1, length), range(length - 1, length)):
            part = reader.frames(*view, steps)
            np.testing.assert_array_equal(part.pixels, whole.pixels[steps.start : steps.stop])
            if whole.missing is not None:
                assert part.missing is not None
                np.testing.assert_array_equal(part.missing, whole.missing[steps.start : steps.stop])


@BY_NAME
def test_a_reader_works_in_another_process(case: FormatCase, folder: Path) -> None:
    case.write(folder)
    reader = case.reader(Folder(folder))
    view = views_of(scanned(reader).recordings)[0]
    sent: Reader = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(
        sent.frames(*view, range(2)).pixels, reader.frames(*view, range(2)).pixels
    )


@BY_NAME
@pytest.mark.parametrize("harm", HARM)
def test_harm_to_a_file_is_told_and_costs_no_other_recording(
    case: FormatCase, harm: str, folder: Path, tmp_path: Path
) -> None:
    truths = case.write(folder)
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        harmed = tmp_path / f"harmed-{number}"
        shutil.copytree(folder, harmed)
        file = harmed / path.relative_to(folder)
        data = HARM[harm](file.read_bytes())
        file.unlink() if data is None else file.write_bytes(data)
        outcome = read_all(case.reader, harmed)
        told = {name for name, _ in outcome.told}
        unnoticed = {"scratched", "garbage"} if case.raw else {"scratched"}
        for truth in truths:
            kept = outcome.read.get((truth.name, truth.camera))
            if kept is not None and harm not in unnoticed:
                assert_same(kept, truth, case.tolerance)
            elif kept is None and harm != "removed":
                assert told, f"{file.name} {harm}: {truth.name} is lost without a word"
        shutil.rmtree(harmed)


@pytest.mark.parametrize(("case", "name"), DAMAGES)
def test_damage_is_named_and_costs_no_other_recording(
    case: FormatCase, name: str, folder: Path
) -> None:
    truths = case.write(folder)
    damage = case.damages()[name]
    damage.apply(folder)
    outcome = read_all(case.reader, folder)
    lost = {truth.name for truth in truths} - {recording for recording, _ in outcome.read}
    if damage.cameras:
        lost_views = {(truth.name, truth.camera) for truth in truths} - set(outcome.read)
        assert lost_views == {(name, camera) for name in damage.lost for camera in damage.cameras}
        lost = {name for name, _ in lost_views}
    text = "\n".join(f"{recording}: {reason}" for recording, reason in outcome.told)
    assert_matches(damage.reason, text)
    if not damage.when_read:
        assert_matches(damage.reason, "\n".join(reason for _, reason in outcome.told_by_scan))
    assert lost == set(damage.lost)
    for truth in truths:
        if (truth.name, truth.camera) in outcome.read:
            assert_same(outcome.read[truth.name, truth.camera], truth, case.tolerance)


class Outcome:
    """What a damaged data set yields."""

    def __init__(self) -> None:
        self.read: dict[tuple[str, str], Truth] = {}
        self.told: list[tuple[str, str]] = []
        self.told_by_scan: list[tuple[str, str]] = []


def read_all(kind: type[Reader], folder: Path) -> Outcome:
    """Read whatever can be read; anything but an `InputError` fails the test."""
    outcome = Outcome()
    try:
        listed = Folder(folder)
        kind.recognises(listed)
        reader = kind(listed)
        found = scanned(reader)
    except InputError as error:
        outcome.told_by_scan = outcome.told = [("", str(error))]
        return outcome
    outcome.told_by_scan = [(flaw.recording or flaw.file, str(flaw)) for flaw in found.flaws]
    outcome.told = list(outcome.told_by_scan)
    source = LogSource(reader, found.recordings) if found.recordings else None
    for index, (recording, camera) in enumerate(views_of(found.recordings)):
        assert source is not None
        try:
            frames = source.frames(index, range(camera.length))
            with located(recording.file, recording.name):
                signals = reader.signals(recording, camera)
        except InputError as error:
            told = error.recording
            assert told == recording.name
            outcome.told.append((recording.name, str(error)))
            continue
        assert len(frames.pixels) == camera.length
        outcome.read[recording.name, camera.name] = Truth(
            recording.name, camera.name, frames.pixels, *signals, frames.missing
        )
    return outcome


def assert_is(reader: Reader, view: View, truth: Truth, tolerance: float) -> None:
    recording, camera = view
    frames = reader.frames(recording, camera, range(camera.length))
    signals = reader.signals(recording, camera)
    read = Truth(recording.name, camera.name, frames.pixels, *signals, frames.missing)
    assert_same(read, truth, tolerance)
    width = len(recording.action_names) + len(recording.inferred_actions)
    assert signals.actions.shape == (camera.length - 1, width)
    assert signals.states.shape == (camera.length, len(recording.state_names))
    for values in signals:
        assert values.dtype in (np.float32, np.float64)


def assert_same(read: Truth, truth: Truth, tolerance: float) -> None:
    assert read.pixels.dtype == np.uint8
    assert read.pixels.shape == truth.pixels.shape
    difference = np.abs(read.pixels.astype(int) - truth.pixels)
    assert difference.mean(axis=(1, 2, 3)).max() <= tolerance
    np.testing.assert_array_equal(read.actions, truth.actions)
    np.testing.assert_array_equal(read.states, truth.states)
    assert (read.missing is None) == (truth.missing is None)
    if read.missing is not None and truth.missing is not None:
        np.testing.assert_array_equal(read.missing, truth.missing)
        assert not read.pixels[read.missing].any()


def assert_matches(pattern: str, text: str) -> None:
    with pytest.raises(InputError, match=pattern):
        raise InputError(text)
