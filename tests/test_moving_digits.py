"""Moving MNIST and the file format of its digits."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from worldmodel.data.idx import read_idx
from worldmodel.data.moving_digits import moving_digits
from worldmodel.errors import InputError

ONE_PIXEL = np.full((1, 1, 1), 255, np.uint8)


def draw(digits: np.ndarray = ONE_PIXEL, seed: int = 0, **options: float) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return moving_digits(digits, 20, 30, 16, generator, **options)  # pyright: ignore


def positions(clip: np.ndarray) -> np.ndarray:
    return np.array([np.argwhere(frame)[0] for frame in clip])


def test_a_digit_flies_straight_and_bounces() -> None:
    for clip in draw(per_clip=1, speed=3.0):
        path = positions(clip).astype(float)
        steps = np.diff(path, axis=0)
        assert np.linalg.norm(steps, axis=1).max() <= 3.0 + np.sqrt(2)
        inside = ((path[1:-1] > 3) & (path[1:-1] < 12)).all(axis=1)
        straight = np.abs(np.diff(steps, axis=0))[inside]
        assert straight.max(initial=0.0) <= 2.0
        assert np.linalg.norm(steps, axis=1).mean() > 1.5


def test_digits_stay_whole_and_the_brighter_pixel_shows() -> None:
    digits = np.stack([np.full((4, 4), 100, np.uint8), np.full((4, 4), 200, np.uint8)])
    frames = draw(digits, per_clip=1)
    assert ((frames > 0).sum(axis=(2, 3)) == 16).all()
    overlapping = draw(digits, per_clip=5)
    assert set(np.unique(overlapping)) == {0, 100, 200}


def test_a_seed_repeats_itself() -> None:
    assert np.array_equal(draw(), draw())
    assert not np.array_equal(draw(), draw(seed=1))


def test_digits_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="more than the digits' 16 pixels, got 16"):
        draw(np.zeros((1, 16, 16), np.uint8))
    with pytest.raises(InputError, match=r"expected uint8 \(N, d, d\), got float64"):
        draw(np.zeros((1, 4, 4)))


@pytest.mark.data
def test_real_digits(data: Path) -> None:
    digits = read_idx(data / "mnist" / "t10k-images-idx3-ubyte.gz")
    assert digits.shape == (10_000, 28, 28)
    assert digits.max() == 255
    labels = read_idx(data / "mnist" / "t10k-labels-idx1-ubyte.gz")
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\x08\x01\0\0\0\x03ab", r"declares \(3,\), that is 3 bytes, and holds 2"),
        (b"\0\0\x0d\x01\0\0\0\x03abc", "IDX file of unsigned bytes"),
        (b"\0\0\x08\x03\0\0", "declares"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "declares"),
        (b"", "IDX file of unsigned bytes"),
    ],
)
def test_damaged_idx_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    for path, stored in (("digits", content), ("digits.gz", gzip.compress(content))):
        (tmp_path / path).write_bytes(stored)
        with pytest.raises(InputError, match=message):
            read_idx(tmp_path / path)


def test_a_cut_gzip_file_and_a_missing_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x03abc")[:-9])
    with pytest.raises(InputError, match="damaged gzip file"):
        read_idx(tmp_path / "cut.gz")
    with pytest.raises(InputError, match="no such file"):
        read_idx(tmp_path / "nothing")
