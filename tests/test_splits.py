"""Parts by time, domain, publication and list share no frame and leave nothing out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from worldmodel.data.clips.splits import (
    Portion,
    Split,
    load_split,
    split_as_published,
    split_by_domain,
    split_by_list,
    split_by_time,
)
from worldmodel.data.recording import Camera, Frames, Part, Recording, Signals
from worldmodel.data.source import Source
from worldmodel.errors import InputError

RECORDINGS = tuple(
    Recording(
        name=f"event{number}",
        file="",
        cameras=(Camera("", length, height=4, width=4, channels=1),),
        domain=("rain", "snow", "hail")[number % 3],
        start=1000.0 * (7 - number),
    )
    for number, length in enumerate((10, 20, 30, 25, 15))
)


class Listed(Source):
    """Recordings without pictures."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = tuple(recordings)
        self.sets, self.timed, self.origin = (len(recordings),), True, "list"

    def frames(self, index: int, steps: range) -> Frames:
        raise NotImplementedError

    def signals(self, index: int) -> Signals:
        raise NotImplementedError


def frames_of(split: Split, part: Part) -> set[tuple[int, int]]:
    """View and number of every frame of a part."""
    spans = split.spans(Listed(RECORDINGS), part)
    return {(view, frame) for view, start, stop in spans for frame in range(start, stop)}


def test_time_goes_from_training_over_validation_to_test() -> None:
    split = split_by_time(RECORDINGS, validation=0.2, test=0.3)
    train, validation, test = (frames_of(split, part) for part in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (50, 20, 30)
    assert len(train | validation | test) == 100

    def moment(frame: tuple[int, int]) -> tuple[float, int]:
        return RECORDINGS[frame[0]].start, frame[1]

    assert max(map(moment, train)) < min(map(moment, validation))
    assert max(map(moment, validation)) < min(map(moment, test))


def test_a_single_long_recording_is_cut() -> None:
    camera = replace(RECORDINGS[0].cameras[0], length=92)
    recording = replace(RECORDINGS[0], cameras=(camera,))
    split = split_by_time([recording], validation=0.1, test=0.2)
    assert split.train == (Portion("event0", 0, 65),)
    assert split.validation == (Portion("event0", 65, 74),)
    assert split.test == (Portion("event0", 74, 92),)


def test_recordings_without_a_time_cannot_go_by_time() -> None:
    recordings = [*RECORDINGS[:2], replace(RECORDINGS[2], start=float("nan"))]
    with pytest.raises(InputError, match="1 recordings have none, first event2"):
        split_by_time(recordings)


def test_whole_domains_are_kept_apart() -> None:
    split = split_by_domain(RECORDINGS, validation=["snow"], test=["hail"])
    assert split == Split(("event0", "event3"), ("event1", "event4"), ("event2",))
    with pytest.raises(InputError, match="no domain fog; available: hail, rain, snow"):
        split_by_domain(RECORDINGS, validation=["fog"], test=[])
    with pytest.raises(InputError, match="expected recordings to train on"):
        split_by_domain(RECORDINGS, validation=["snow", "rain"], test=["hail"])


def test_published_parts_are_kept_and_missing_ones_taken_from_training() -> None:
    recordings = [
        replace(recording, part="test" if number > 2 else "train")
        for number, recording in enumerate(RECORDINGS)
    ]
    split = split_as_published(recordings, validation=0.1, test=0.5)
    assert split.test == ("event3", "event4")
    assert len(split.validation) == 1
    assert sorted((*split.train, *split.validation)) == ["event0", "event1", "event2"]
    with pytest.raises(InputError, match="no published part"):
        split_as_published(RECORDINGS)


def test_a_list_names_the_test_recordings_with_or_without_folders() -> None:
    names = [f"lab/{number}.hdf5" for number in range(10)]
    split = split_by_list(names, ["3.hdf5", "lab/7.hdf5"])
    assert split.test == ("lab/3.hdf5", "lab/7.hdf5")
    assert len(split.train) + len(split.validation) == 8
    with pytest.raises(InputError, match=r"1 of 2 listed recordings .* first 99\.hdf5"):
        split_by_list(names, ["3.hdf5", "99.hdf5"])


def test_portions_are_saved_and_come_back(tmp_path: Path) -> None:
    split = split_by_time(RECORDINGS, validation=0.15, test=0.15)
    assert any(isinstance(item, Portion) for item in split.test)
    split.save(tmp_path / "split.json")
    assert load_split(tmp_path / "split.json") == split


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (("a",), (Portion("a", 5, 9),)),
        ((Portion("a", 0, 6),), (Portion("a", 5, 9),)),
        ((Portion("a", 7),), (Portion("a", 5, 9),)),
    ],
)
def test_parts_that_share_a_frame_are_refused(
    train: tuple[str | Portion, ...], test: tuple[str | Portion, ...]
) -> None:
    with pytest.raises(InputError, match="a is in two"):
        Split(train, (), test)
