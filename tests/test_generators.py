"""Clips of moving digits and sprites against the published rules, naively, and by measuring."""

import gzip
import math
import multiprocessing
import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from worldmodel.data.clips.blocks import resized
from worldmodel.data.files.idx import read_idx
from worldmodel.data.generators import GENERATORS
from worldmodel.data.generators.bouncing import bouncing
from worldmodel.data.generators.digits import load_digits
from worldmodel.data.generators.generator import GeneratedClip, Generator
from worldmodel.data.generators.mixed_moving_mnist import MixedMovingMNIST
from worldmodel.data.generators.moving_mnist import MovingMNIST
from worldmodel.data.generators.moving_sprites import COLORS, MovingSprites
from worldmodel.data.generators.v_mnist import VMNIST
from worldmodel.errors import InputError

SAMPLE = range(20)


def write_idx(path: Path, pictures: np.ndarray) -> str:
    head = b"\0\0\x08" + bytes([pictures.ndim]) + np.array(pictures.shape, ">u4").tobytes()
    content = head + pictures.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


@pytest.fixture
def noise(tmp_path: Path) -> str:
    """Ten pictures of which no two pixels are likely the same."""
    pictures = np.random.default_rng(1).integers(1, 256, (10, 28, 28))
    return write_idx(tmp_path / "noise", pictures)


@pytest.fixture
def points(tmp_path: Path) -> str:
    """Pictures of one white pixel."""
    return write_idx(tmp_path / "points", np.full((3, 1, 1), 255))


@pytest.fixture
def bar(tmp_path: Path) -> str:
    """A horizontal bar in the middle."""
    picture = np.zeros((1, 28, 28))
    picture[0, 12:16, 4:24] = 255
    return write_idx(tmp_path / "bar", picture)


@pytest.mark.parametrize("kind", GENERATORS.values())
def test_clips_are_as_declared(kind: type[Generator]) -> None:
    generator = kind(length=6, height=40, width=52)
    for index in range(3):
        frames, masks = generator.clip(index)
        assert frames.shape == (6, *generator.frame_shape) == (6, 40, 52, kind.channels)
        assert frames.dtype == np.uint8
        assert frames[1:].max(axis=(1, 2, 3)).min() > 0
        if masks is not None:
            assert masks.shape == (6, 3, 40, 52)
            assert masks.dtype == bool


@pytest.mark.parametrize("kind", GENERATORS.values())
def test_defaults_are_as_published(kind: type[Generator]) -> None:
    clips = {MovingMNIST: 10_000, MixedMovingMNIST: 30_000, VMNIST: 100_000, MovingSprites: 12_800}
    generator = kind()
    assert (generator.length, generator.height, generator.width) == (20, 64, 64)
    assert generator.clips == clips[kind]


@pytest.mark.parametrize("kind", GENERATORS.values())
def test_a_clip_depends_on_its_number_seed_and_part_alone(kind: type[Generator]) -> None:
    frames = [kind().clip(index).frames for index in range(4)]
    assert np.array_equal(kind().clip(3).frames, frames[3])
    assert np.array_equal(pickle.loads(pickle.dumps(kind())).clip(2).frames, frames[2])
    others = [*frames[1:], kind(seed=1).clip(0).frames, kind(part="test").clip(0).frames]
    assert not any(np.array_equal(frames[0], other) for other in others)


@pytest.mark.slow
def test_another_process_makes_the_same_clips() -> None:
    generators = [kind() for kind in GENERATORS.values()]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for generator, far in zip(generators, pool.map(seventh, generators), strict=True):
            assert np.array_equal(generator.clip(7).frames, far.frames)


def seventh(generator: Generator) -> GeneratedClip:
    return generator.clip(7)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (MovingMNIST, {"clips": 0}, "MovingMNIST.clips: expected at least 1, got 0"),
        (MovingMNIST, {"length": 1}, "length: expected at least 2"),
        (MovingMNIST, {"seed": -1}, "seed: expected at least 0"),
        (MovingMNIST, {"part": "all"}, "part: expected one of train, test, got all"),
        (MovingMNIST, {"per_clip": 0}, "per_clip: expected at least 1"),
        (MovingMNIST, {"width": 28}, "width: expected at least 29, got 28"),
        (MixedMovingMNIST, {"height": 14, "digit_size": 14}, "height: expected at least 15"),
        (MixedMovingMNIST, {"digit_size": 0}, "digit_size: expected at least 1"),
        (VMNIST, {"min_speed": 4.0}, "0 <= min_speed <= max_speed <= 64, got 4.0 and 3.6"),
        (VMNIST, {"max_speed": math.inf}, "max_speed <= 64, got 0.0 and inf"),
        (VMNIST, {"max_turn": math.nan}, "max_turn <= 180, got -30.0 and nan"),
        (VMNIST, {"min_zoom": 0.4}, "0.5 <= min_zoom"),
        (VMNIST, {"max_zoom": 1.6}, "scale less than 10-fold, got 5 frames of up to 1.6"),
        (VMNIST, {"period": 0}, "period: expected at least 1"),
        (VMNIST, {"margin": 32}, "margin: expected less than half of 64 pixels, got 32"),
        (VMNIST, {"margin": math.nan}, "margin: expected at least 0, got nan"),
        (MovingSprites, {"objects": 0}, "objects: expected at least 1"),
        (MovingSprites, {"max_side": 65.0}, "max_side <= 64, got 10.5 and 65.0"),
        (MovingSprites, {"min_speed": math.inf}, "max_speed <= 64, got inf and 2.65"),
    ],
)
def test_options_out_of_range_are_refused(
    kind: type[Generator], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        kind(**options)


# Digits


@pytest.mark.data
def test_parts_have_the_digits_of_mnist(data: Path) -> None:
    folder = str(data / "mnist")
    test = read_idx(data / "mnist" / "t10k-images-idx3-ubyte.gz")
    assert np.array_equal(load_digits(folder, "test", 28), test)
    assert len(load_digits(folder, "train", 28)) == 60_000
    halves = test.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    assert np.abs(load_digits(folder, "test", 14) - halves).max() <= 0.5


def test_small_digits_stand_in_for_mnist() -> None:
    parts = [load_digits(None, part, 28) for part in ("train", "test")]
    assert [part.shape for part in parts] == [(1_500, 28, 28), (297, 28, 28)]
    pictures = np.concatenate(parts)
    inner = pictures[:, 4:-4, 4:-4]
    assert inner.sum(dtype=int) == pictures.sum(dtype=int)
    recorded = datasets.load_digits(return_X_y=True)[0]
    back = resized(inner[..., None], (8, 8), "squash").reshape(-1, 64)
    assert np.corrcoef(back.ravel(), recorded.ravel())[0, 1] > 0.95


def test_digits_are_loaded_once_and_cannot_be_changed(noise: str) -> None:
    digits = load_digits(noise, "train", 28)
    assert load_digits(noise, "train", 28) is digits
    with pytest.raises(ValueError, match="read-only"):
        digits[0] = 0


@pytest.mark.parametrize("name", ["idx3-ubyte.gz", "idx3-ubyte"])
def test_folders_hold_files_of_either_name(tmp_path: Path, name: str) -> None:
    write_idx(tmp_path / f"train-images-{name}", np.full((2, 28, 28), 1))
    write_idx(tmp_path / f"t10k-images.{name}", np.full((2, 28, 28), 2))
    assert load_digits(str(tmp_path), "train", 28).max() == 1
    assert load_digits(str(tmp_path), "test", 28).max() == 2


def test_what_holds_no_digits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected MNIST's train-images-idx3-ubyte"):
        MovingMNIST(digits=str(tmp_path)).clip(0)
    labels = write_idx(tmp_path / "labels", np.arange(5))
    with pytest.raises(InputError, match=r"square pictures \(N, d, d\), got \(5,\)"):
        MovingMNIST(digits=labels).clip(0)
    lonely = write_idx(tmp_path / "lonely", np.ones((1, 28, 28)))
    with pytest.raises(InputError, match="expected 2 digits or more, got 1"):
        MovingMNIST(digits=lonely).clip(0)
    with pytest.raises(InputError, match="no such file"):
        MovingMNIST(digits=str(tmp_path / "nothing")).clip(0)


# Moving MNIST


def naive_path(x: float, v: float, length: int) -> list[float]:
    """One coordinate in [0, 1], written down from the published generator's rule."""
    path = []
    for _ in range(length):
        x += 0.1 * v
        if x <= 0:
            x, v = 0.0, -v
        if x >= 1:
            x, v = 1.0, -v
        path.append(x)
    return path


def test_moving_mnist_is_what_a_naive_drawing_is(noise: str) -> None:
    generator = MovingMNIST(digits=noise)
    known = read_idx(noise)
    for index in SAMPLE:
        random = generator.random(index)
        chosen = random.choice(10, 2, replace=False)
        start, angle = random.random((2, 2)), random.uniform(0, 2 * math.pi, 2)
        expected = np.zeros((20, 64, 64), int)
        for digit, (y, x), theta in zip(known[chosen], start, angle, strict=True):
            down, right = (naive_path(y, math.sin(theta), 20), naive_path(x, math.cos(theta), 20))
            for frame, top, left in zip(expected, down, right, strict=True):
                for row in range(28):
                    for column in range(28):
                        place = int(36 * top) + row, int(36 * left) + column
                        frame[place] = max(frame[place], digit[row, column])
        assert np.array_equal(generator.clip(index).frames[..., 0], expected)


def test_a_digit_flies_straight_stays_inside_and_turns_at_borders_only(points: str) -> None:
    generator = MovingMNIST(digits=points, digit_size=1, per_clip=1)
    turns, starts = 0, []
    for index in range(300):
        frames = generator.clip(index).frames[..., 0]
        path = np.argwhere(frames)
        assert len(path) == 20
        path = path[:, 1:]
        starts.append(path[0])
        steps = np.diff(path, axis=0)
        inside = np.all((path > 0) & (path < 63), axis=1)
        free = inside[1:] & inside[:-1]
        assert np.abs(np.linalg.norm(steps, axis=1)[free] - 6.3).max(initial=0) <= math.sqrt(2)
        turned = steps[1:] * steps[:-1] < 0
        assert np.isin(path[1:-1][turned], (0, 63)).all()
        turns += turned.sum()
    assert 300 < turns < 1_800
    assert np.abs(np.mean(starts, axis=0) - 31.5).max() < 4


def test_bounces_stay_within_walls() -> None:
    random = np.random.default_rng(0)
    low, high = np.array([10.0, 20.0]), np.array([30.0, 90.0])
    path = bouncing(
        random.uniform(low, high, (50, 2)), random.normal(0, 9, (50, 2)), 200, low, high
    )
    assert path.min(axis=(0, 1)).tolist() == [10, 20]
    assert path.max(axis=(0, 1)).tolist() == [30, 90]


# Mixed Moving MNIST


def test_mixed_clips_have_two_or_three_digits_in_half_of_cases(points: str) -> None:
    generator = MixedMovingMNIST(digits=points, digit_size=1)
    domains = Counter(generator.domain(index) for index in range(2_000))
    assert set(domains) == {"2 digits", "3 digits"}
    assert 900 < domains["2 digits"] < 1_100
    colors = np.zeros(3)
    for index in range(300):
        seen = (generator.clip(index).frames == 255).sum(axis=(1, 2)).max(axis=0)
        assert generator.domain(index) == f"{seen.sum()} digits"
        colors += seen
    assert np.abs(colors / colors.sum() - 1 / 3).max() < 0.06


def test_mixed_digits_are_of_one_color_and_move_as_classic_ones(noise: str) -> None:
    generator = MixedMovingMNIST(digits=noise)
    known = read_idx(noise)
    for index in SAMPLE:
        frames = generator.clip(index).frames
        random = generator.random(index)
        count = int(random.choice((2, 3)))
        chosen = random.choice(10, count, replace=False)
        start, angle = random.random((count, 2)), random.uniform(0, 2 * math.pi, count)
        colors = random.integers(3, size=count)
        expected = np.zeros_like(frames)
        for number, color in enumerate(colors):
            down = naive_path(start[number, 0], math.sin(angle[number]), 20)
            right = naive_path(start[number, 1], math.cos(angle[number]), 20)
            for frame, y, x in zip(expected, down, right, strict=True):
                box = np.s_[int(36 * y) : int(36 * y) + 28, int(36 * x) : int(36 * x) + 28, color]
                frame[box] = np.maximum(frame[box], known[chosen[number]])
        assert np.array_equal(frames, expected)


# V-MNIST


def varied(digits: str, **options: Any) -> VMNIST:
    """One digit in the middle of a large frame, which does nothing but what is asked for."""
    still: dict[str, Any] = {
        "min_speed": 0.0,
        "max_speed": 0.0,
        "min_turn": 0.0,
        "max_turn": 0.0,
        "min_zoom": 1.0,
        "max_zoom": 1.0,
        "height": 160,
        "width": 160,
        "margin": 40.0,
    }
    return VMNIST(digits=digits, per_clip=1, **(still | options))


def moments(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (T, 2) in pixels, angles in degrees counter-clockwise, modulo 180, and lengths."""
    weights = frames[..., 0] / frames.sum(axis=(1, 2, 3))[:, None, None]
    rows, columns = np.indices(weights.shape[1:]) + 0.5
    y, x = ((weights * places).sum(axis=(1, 2)) for places in (rows, columns))
    dy, dx = rows - y[:, None, None], columns - x[:, None, None]
    yy, xx, xy = ((weights * part).sum(axis=(1, 2)) for part in (dy**2, dx**2, dy * dx))
    angles = np.degrees(np.arctan2(-2 * xy, xx - yy)) / 2
    return np.stack([y, x], axis=1), angles, np.sqrt(xx + yy)


def test_a_varied_digit_rotates_as_asked(bar: str) -> None:
    for turn in (7.0, -25.0):
        frames = varied(bar, min_turn=turn, max_turn=turn).clip(0).frames
        _, angles, lengths = moments(frames)
        off = (angles - turn * np.arange(20) + 90) % 180 - 90
        assert np.abs(off).max() < 0.5
        assert lengths == pytest.approx(lengths[0], rel=0.02)


def test_a_varied_digit_grows_and_shrinks_in_turn(bar: str) -> None:
    frames = varied(bar, min_zoom=1.1, max_zoom=1.1).clip(0).frames
    _, angles, lengths = moments(frames)
    powers = [0, 1, 2, 3, 4, 3, 2, 1, 0, -1, 0, 1, 2, 3, 4, 3, 2, 1, 0, -1]
    _, _, still = moments(varied(bar).clip(0).frames)
    assert lengths / still == pytest.approx(1.1 ** np.array(powers), rel=0.02)
    assert np.abs(angles).max() < 0.5


def test_a_varied_digit_moves_as_asked(bar: str) -> None:
    generator = varied(bar, min_speed=3.0, max_speed=3.0)
    for index in range(30):
        centres, _, _ = moments(generator.clip(index).frames)
        assert centres.min() > 40 - 0.02
        assert centres.max() < 120 + 0.02
        inside = np.all((centres > 40.02) & (centres < 119.98), axis=1)
        steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)[inside[1:] & inside[:-1]]
        assert steps == pytest.approx(3.0, abs=0.02)


def test_varied_digits_fill_the_default_ranges(bar: str) -> None:
    ranges = {"min_turn": -30.0, "max_turn": 30.0, "min_zoom": 1 / 1.1, "max_zoom": 1.1}
    generator = varied(bar, **ranges, max_speed=3.6, length=2)
    measured = []
    for index in range(400):
        centres, angles, lengths = moments(generator.clip(index).frames)
        speed = np.linalg.norm(centres[1] - centres[0])
        measured.append([speed, angles[1] - angles[0], lengths[1] / lengths[0]])
    speeds, turns, zooms = np.transpose(measured)
    for values, low, high in ((speeds, 0, 3.6), (turns, -30, 30), (zooms, 1 / 1.1, 1.1)):
        share = (values - low) / (high - low)
        assert -0.05 < share.min() < 0.05
        assert 0.95 < share.max() < 1.05
        assert share.mean() == pytest.approx(0.5, abs=0.05)


def test_the_brighter_of_varied_digits_shows(tmp_path: Path) -> None:
    squares = np.stack([np.full((28, 28), value) for value in (100, 200)])
    path = write_idx(tmp_path / "squares", squares)
    generator = VMNIST(digits=path, min_zoom=1.0, max_zoom=1.0, height=44, width=44, margin=21.0)
    for index in range(20):
        frames = generator.clip(index).frames[..., 0]
        assert np.abs((frames > 150).sum(axis=(1, 2)) - 28**2).max() < 60
        assert frames.max() == 200


def test_kinds_of_digit_clips_are_told_by_number() -> None:
    assert VMNIST().domain(0) == "2 digits"
    assert MovingMNIST(per_clip=1).domain(0) == "1 digit"


# Moving Sprites


def test_masks_and_frames_tell_the_same() -> None:
    generator = MovingSprites()
    seen = Counter()
    for index in range(120):
        frames, masks = generator.clip(index)
        assert masks is not None
        assert masks.sum(axis=1).max() <= 1
        painted = np.zeros_like(frames)
        for mask in masks.swapaxes(0, 1):
            colors = np.unique(frames[mask], axis=0)
            assert len(colors) <= 1
            painted[mask] = colors
            seen.update(map(tuple, colors))
        assert np.array_equal(frames, painted)
    assert set(seen) == set(COLORS.values())
    assert min(seen.values()) > 0.5 * max(seen.values())


def test_sprites_appear_within_two_frames_as_often_one_two_or_three() -> None:
    generator = MovingSprites()
    domains = Counter(generator.domain(index) for index in range(1_500))
    assert set(domains) == {"1 object", "2 objects", "3 objects"}
    assert min(domains.values()) > 400
    births = Counter()
    for index in range(200):
        masks = generator.clip(index).masks
        assert masks is not None
        shown = np.any(masks, axis=(2, 3))
        born = np.any(shown[:2], axis=0)
        assert int(generator.domain(index)[0]) >= born.sum() >= 1
        assert np.array_equal(born, np.any(shown, axis=0))
        births.update(shown[:2].argmax(axis=0)[born].tolist())
    assert births[0] == pytest.approx(births[1], rel=0.3)


def test_a_sprite_keeps_its_velocity_and_may_leave() -> None:
    generator = MovingSprites(objects=1)
    left = 0
    for index in range(200):
        masks = generator.clip(index).masks
        assert masks is not None
        whole = masks[:, 0]
        left += not whole[-1].any()
        border = whole[:, [0, -1]].any(axis=(1, 2)) | whole[:, :, [0, -1]].any(axis=(1, 2))
        inside = whole.any(axis=(1, 2)) & ~border
        centres = np.array([np.argwhere(mask).mean(axis=0) for mask in whole[inside]])
        if len(centres) > 5:
            velocity = (centres[-1] - centres[0]) / (len(centres) - 1)
            straight = centres[0] + velocity * np.arange(len(centres))[:, None]
            assert np.linalg.norm(velocity) == pytest.approx(2.65, abs=0.25)
            assert np.abs(centres - straight).max() < 1
    assert 10 < left < 150


def test_sprites_have_the_areas_of_their_shapes() -> None:
    generator = MovingSprites(
        objects=1, height=200, width=200, min_side=60.0, max_side=100.0, min_speed=0.0
    )
    found = Counter()
    for index in range(100):
        masks = generator.clip(index).masks
        assert masks is not None
        rows, columns = np.nonzero(masks[1, 0])
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert 58 < min(sides) <= max(sides) < 102
        share = len(rows) / (sides[0] * sides[1])
        nearest = min((math.pi / 4, 0.5, 1.0), key=lambda area: abs(area - share))
        assert share == pytest.approx(nearest, rel=0.04)
        triangle = nearest == 0.5 and abs(rows.mean() - (rows.min() + rows.max()) / 2) > 5
        found[nearest, triangle] += 1
    assert set(found) == {(math.pi / 4, False), (0.5, True), (1.0, False), (0.5, False)}
    assert min(found.values()) > 10
