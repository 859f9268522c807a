"""BAIR pushing: a real recording in the published layout, parts and promises of file names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.bair import TEST, TRAIN, BAIRCase, recording
from formats.case import moving_square, walk
from formats.records import framed, write_records
from reading import found_in, frames_at
from tfrecord.writer import TFRecordWriter

from worldmodel.data.clips.actions import is_delta
from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.robots.bair import ACTION_NAMES, BAIR
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError


def scan(folder: Path) -> tuple[BAIR, list[View], list[Flaw]]:
    reader = BAIR(Folder(folder))
    found = found_in(reader)
    return (
        reader,
        [view for view in found if isinstance(view, View)],
        [flaw for flaw in found if isinstance(flaw, Flaw)],
    )


@pytest.mark.data
def test_a_real_recording_in_the_published_layout(data: Path, tmp_path: Path) -> None:
    sample = np.load(data / "bair_sawyer" / "bair_sample.npz")
    cameras = [sample[key].astype(np.uint8) for key in ("image", "aux1_image")]
    actions, states = sample["action"].astype(np.float32), walk(0, 30, 3)
    write_records(tmp_path / TRAIN, [recording(cameras, actions, states)] * 3)
    reader, views, flaws = scan(tmp_path)
    assert flaws == []
    assert [(view.recording.name, view.camera.name) for view in views[:3]] == [
        (f"{TRAIN}/0", "image_main"),
        (f"{TRAIN}/0", "image_aux1"),
        (f"{TRAIN}/1", "image_main"),
    ]
    assert {(view.camera.length, view.camera.height, view.camera.width) for view in views} == {
        (30, 64, 64)
    }
    for view, truth in zip(views, cameras, strict=False):
        np.testing.assert_array_equal(reader.frames(*view, range(12, 30)).pixels, truth[12:])
    signals = reader.signals(*views[0])
    np.testing.assert_array_equal(signals.actions, actions[:29])
    np.testing.assert_array_equal(signals.states, states)
    assert signals.actions.dtype == signals.states.dtype == np.float32


@pytest.mark.data
def test_the_meaning_of_real_actions(data: Path) -> None:
    """Displacements of some centimetres, whole numbers of commands, all of them twice."""
    actions = np.load(data / "bair_sawyer" / "bair_sample.npz")["action"]
    np.testing.assert_array_equal(actions[::2], actions[1::2])
    for name, values in zip(ACTION_NAMES, actions.T, strict=True):
        assert is_delta(name) == (0 < np.abs(values).max() < 0.1)
        assert is_delta(name) != (values == np.round(values)).all()


def test_names_units_and_parts(tmp_path: Path) -> None:
    BAIRCase().write(tmp_path)
    _, views, _ = scan(tmp_path)
    assert {(view.recording.file, view.recording.part) for view in views} == {
        (TRAIN, "train"),
        (TEST, "test"),
    }
    assert {view.recording.action_names for view in views} == {
        ("dx", "dy", "close_steps", "up_steps")
    }
    assert {view.recording.action_units for view in views} == {("m", "m", "commands", "commands")}
    assert {view.recording.state_names for view in views} == {("x", "y", "z")}
    assert {view.recording.domain for view in views} == {"sawyer"}


def test_records_are_the_same_as_sequence_examples(tmp_path: Path) -> None:
    """As which tensorflow_datasets reads them."""
    pixels = [moving_square(camera, 4, 64, 64) for camera in range(2)]
    actions, states = walk(0, 4, 4), walk(1, 4, 3)
    context = recording(pixels, actions, states)
    file = tmp_path / "traj_0_to_0.tfrecords"
    file.write_bytes(framed(TFRecordWriter.serialize_tf_sequence_example(dict(context), {})))
    reader, views, flaws = scan(tmp_path)
    assert flaws == []
    for view, truth in zip(views, pixels, strict=True):
        np.testing.assert_array_equal(reader.frames(*view, range(4)).pixels, truth)
    np.testing.assert_array_equal(reader.signals(*views[0]).states, states)


def test_a_file_promises_recordings_by_its_name_or_one(tmp_path: Path) -> None:
    BAIRCase().write(tmp_path)
    (tmp_path / TRAIN).rename(tmp_path / "traj_0_to_9.tfrecords")
    (tmp_path / TEST).write_bytes(b"")
    _, views, flaws = scan(tmp_path)
    assert len(views) == 6
    assert [(flaw.file, flaw.reason) for flaw in flaws] == [
        (TEST, "expected at least 1 records, got 0"),
        ("traj_0_to_9.tfrecords", "expected at least 10 records, got 3"),
    ]


def test_other_records_are_not_recognised(tmp_path: Path) -> None:
    write_records(tmp_path / "a.tfrecords", [{"image": ([b"x"], "byte")}])
    folder = Folder(tmp_path)
    assert not BAIR.recognises(folder)
    assert [flaw.reason for flaw in scan(tmp_path)[2]] == [
        "expected at least 2 usable frames, got 0"
    ]


@pytest.mark.parametrize("data", [b"", b"garbage that is longer than a head"])
def test_damaged_files_are_recognised(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "traj_0_to_0.tfrecords").write_bytes(data)
    assert BAIR.recognises(Folder(tmp_path))


def test_without_records(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    folder = Folder(tmp_path)
    assert not BAIR.recognises(folder)
    with pytest.raises(InputError, match=r"expected \*.tfrecords files, found 1 other"):
        list(BAIR(folder).units())


def test_a_recording_that_was_overwritten_is_named(tmp_path: Path) -> None:
    BAIRCase().write(tmp_path)
    reader, views, _ = scan(tmp_path)
    (tmp_path / TRAIN).write_bytes(b"")
    with pytest.raises(InputError, match=rf"^{TRAIN}/2: .*the file ends"):
        frames_at(reader, views[-1], range(2))
