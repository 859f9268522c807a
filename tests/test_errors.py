"""Where an error is: in fields, in one sentence, and in other processes."""

from __future__ import annotations

import pickle

import pytest

from worldmodel.data.recording import Flaw
from worldmodel.errors import InputError, UnavailableError, located


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({}, "no good"),
        ({"file": "a.npz"}, "a.npz: no good"),
        ({"file": "a.h5", "recording": "a.h5/3"}, "a.h5/3: no good"),
        ({"file": "walk/a/7.png", "recording": "walk/a"}, "walk/a/7.png: no good"),
        ({"file": "0.h5", "recording": "west/0.h5"}, "west/0.h5: no good"),
        ({"file": "data.parquet", "recording": "episode_1"}, "data.parquet: episode_1: no good"),
        ({"recording": "a", "camera": "wrist", "frame": 0}, "a: wrist: frame 0: no good"),
        ({"file": "a", "frame": range(3, 6)}, "a: frames 3 to 5: no good"),
    ],
)
def test_one_sentence_says_where_and_what(where: dict, sentence: str) -> None:
    assert str(InputError("no good", **where)) == sentence


def test_what_is_known_closer_to_the_damage_stays() -> None:
    with (
        pytest.raises(InputError) as told,
        located("list.json", "first", "wrist", frame=9),
        located("a.mp4", frame=0),
    ):
        raise InputError("no good")
    error = told.value
    assert (error.file, error.recording, error.camera, error.frame) == (
        "a.mp4",
        "first",
        "wrist",
        0,
    )


def test_it_keeps_its_fields_in_another_process() -> None:
    error = UnavailableError("no good", file="a", recording="b", camera="c", frame=range(2))
    sent = pickle.loads(pickle.dumps(error))
    assert type(sent) is UnavailableError
    assert str(sent) == str(error)
    assert (sent.reason, sent.file, sent.frame) == ("no good", "a", range(2))


def test_a_flaw_says_what_its_error_says() -> None:
    error = InputError("no good", recording="b", camera="c", frame=3)
    flaw = Flaw.of(error, "a.npz", "another")
    assert flaw == Flaw("a.npz", "b", "frame 3: no good", "c")
    assert str(flaw) == str(flaw.error) == "a.npz: b: c: frame 3: no good"
