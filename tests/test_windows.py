"""Windows, batches, splits and statistics against direct computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reading import opened

from worldmodel.data.clips.actions import strided_actions
from worldmodel.data.clips.blocks import resized
from worldmodel.data.clips.loading import TrainingBatches, training_loader, validation_loader
from worldmodel.data.clips.splits import Split, load_split, split_by_hash
from worldmodel.data.clips.statistics import action_statistics
from worldmodel.data.clips.windows import Span, Windows, WindowShape
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.data.recording import Camera, Frames, Recording, Signals
from worldmodel.data.source import Source
from worldmodel.errors import InputError

NAMES = ("dx", "gripper")


class Counting(Source):
    """Frame t of episode e is the color (e, t, 0); its actions are (t, 10 t)."""

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.recordings = tuple(
            Recording(
                name=f"recording{index}",
                file=f"{index}",
                cameras=(Camera("", length, height=4, width=4, channels=3),),
                domain=("west", "east")[index % 2],
                action_names=NAMES,
                action_units=("m", ""),
            )
            for index, length in enumerate(lengths)
        )
        self.sets, self.timed = (len(lengths),), False
        self.origin = "memory"
        self.reads: list[tuple[int, range]] = []

    def signals(self, index: int) -> Signals:
        length = self.views[index].camera.length
        steps = np.arange(length - 1, dtype=np.float32)
        return Signals(
            np.stack([steps + 100 * index, 10 * steps], axis=1), np.zeros((length, 0), np.float32)
        )

    def frames(self, index: int, steps: range) -> Frames:
        self.reads.append((index, steps))
        frames = np.zeros((len(steps), 4, 4, 3), np.uint8)
        frames[..., 0] = index
        frames[..., 1] = np.array(steps)[:, None, None]
        return Frames(frames)


SHAPE = WindowShape(length=3, stride=2, image_size=4)


def starts(windows: Windows) -> list[tuple[int, int]]:
    """Episode and first frame of each window, read off its pixels."""
    firsts = (windows[index].frames[0, :2, 0, 0] for index in range(len(windows)))
    return [(int(episode), int(start)) for episode, start in firsts]


def test_windows_are_all_starts_of_all_long_enough_episodes() -> None:
    windows = Windows(Counting((7, 4, 5)), SHAPE)
    assert starts(windows) == [(0, 0), (0, 1), (0, 2), (2, 0)]


def test_windows_at_their_span_share_no_frame() -> None:
    windows = Windows(Counting((11, 4, 5)), SHAPE, hop=SHAPE.span)
    assert starts(windows) == [(0, 0), (0, 5), (2, 0)]


def test_windows_of_chosen_episodes_keep_the_labels_of_the_source() -> None:
    windows = Windows(Counting((5, 5, 5)), SHAPE, [Span(1, 0, 5), Span(2, 0, 5)])
    assert [int(windows[index].domain) for index in range(2)] == [0, 1]


def test_a_window_holds_every_other_frame_and_the_actions_between() -> None:
    window = Windows(Counting((7,)), SHAPE)[1]
    assert window.frames.shape == (3, 3, 4, 4)
    assert window.frames[:, 1, 0, 0].tolist() == [1, 3, 5]
    assert window.actions.tolist() == [[1 + 2, 20], [3 + 4, 40]]


def test_strided_deltas_reach_the_same_place() -> None:
    steps = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    strided = strided_actions(steps, NAMES, 3)
    path = np.cumsum(steps[:, 0])
    np.testing.assert_allclose(np.cumsum(strided[:, 0]), path[2::3], rtol=1e-5)
    np.testing.assert_array_equal(strided[:, 1], steps[2::3, 1])


def test_too_short_episodes_are_told() -> None:
    with pytest.raises(InputError, match=r"at least 5 frames .* got 2, the longest of 4"):
        Windows(Counting((4, 3)), SHAPE)


@pytest.mark.parametrize(("name", "value"), [("length", 1), ("stride", 0), ("image_size", 0)])
def test_a_window_has_a_sensible_shape(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"{name}: expected at least {value + 1}, got {value}"):
        replace(SHAPE, **{name: value})


def test_resizing_is_antialiased_as_pillow_does_it() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 100, 3), np.uint8)
    small = resized(frames, (16, 16), "squash")
    box = [
        np.asarray(Image.fromarray(frame).resize((16, 16), Image.Resampling.BILINEAR))
        for frame in frames
    ]
    assert np.abs(small.astype(int) - np.stack(box)).max() <= 1


def test_a_crop_keeps_the_centre() -> None:
    frames = np.zeros((1, 8, 20, 3), np.uint8)
    frames[:, :, 6:14] = 200
    assert (resized(frames, (8, 8), "crop") == 200).all()
    assert (resized(frames, (4, 4), "crop") == 200).all()
    assert resized(frames, (4, 4), "squash").min() < 20


def test_memory_keeps_what_was_used_last_up_to_its_size() -> None:
    source = Counting((5, 5, 5))
    windows = Windows(source, SHAPE, cache_bytes=2 * 5 * 3 * 4 * 4)
    for index in (0, 1, 0, 2, 0, 1):
        windows[index]
    assert [episode for episode, _ in source.reads] == [0, 1, 2, 1]


def test_without_memory_every_window_is_read_and_nothing_more() -> None:
    source = Counting((300,))
    windows = Windows(source, SHAPE, cache_bytes=0)
    assert torch.equal(windows[70].frames, windows[70].frames)
    assert source.reads == [(0, range(70, 75))] * 2


def test_a_batch_depends_on_seed_and_step_only() -> None:
    whole = list(TrainingBatches([1000], 8, seed=3, stop=10))
    assert list(TrainingBatches([1000], 8, seed=3, start=6, stop=10)) == whole[6:]
    assert list(TrainingBatches([1000], 8, seed=4, stop=10)) != whole
    assert len({tuple(batch) for batch in whole}) == 10


def test_ranks_share_the_batch_of_one_process() -> None:
    whole = list(TrainingBatches([1000], 8, seed=3, stop=4))
    shares = [
        list(TrainingBatches([1000], 8, seed=3, stop=4, rank=rank, world_size=2))
        for rank in range(2)
    ]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert [value for pair in zip(first, second, strict=True) for value in pair] == batch
    with pytest.raises(InputError, match="that 3 processes can share, got 8"):
        TrainingBatches([1000], 8, seed=3, stop=4, world_size=3)


def test_windows_are_drawn_uniformly() -> None:
    draws = np.concatenate(list(TrainingBatches([10], 100, seed=0, stop=100)))
    counts = np.bincount(draws, minlength=10)
    # Chi-squared with 9 degrees of freedom exceeds 27.9 once in a thousand.
    assert np.sum((counts - 1000) ** 2 / 1000) < 27.9


def test_validation_reads_each_window_once_over_all_ranks() -> None:
    windows = Windows(Counting((11, 11, 11)), SHAPE)
    shares = [list(validation_loader(windows, 4, rank=rank, world_size=2)) for rank in range(2)]
    frames = torch.cat([clip.frames for share in shares for clip in share])
    firsts = (frames[:, 0, :2, 0, 0] * 255).round().int().tolist()
    assert sorted(map(tuple, firsts)) == starts(windows)
    assert [len(clip.frames) for clip in shares[0]] == [4, 4, 3]


def test_clips_are_pixels_between_zero_and_one() -> None:
    loader = training_loader(Windows(Counting((7, 8)), SHAPE), batch_size=4, seed=0, stop=2)
    before = torch.get_rng_state()
    clips = list(loader)
    assert torch.equal(before, torch.get_rng_state())
    assert len(clips) == len(loader) == 2
    clip = clips[0]
    assert clip.frames.shape == (4, 3, 3, 4, 4)
    assert clip.frames[:, :, 1, 0, 0].diff().mul(255).round().unique().tolist() == [2]
    assert clip.actions.shape == (4, 2, 2)
    assert clip.domain.tolist() == (1 - clip.frames[:, 0, 0, 0, 0] * 255).round().long().tolist()


def log_folder(folder: Path, count: int = 3) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    for index in range(count):
        write_episode(
            folder / f"{index}.hdf5",
            [frames],
            np.full((7, 5), index),
            np.zeros((8, 5)),
            low_bound=np.zeros(5),
            high_bound=np.ones(5),
            metadata={},
        )
    return folder


@pytest.mark.slow
def test_spawned_workers_hand_out_the_batches_of_one_process(tmp_path: Path) -> None:
    source = opened(log_folder(tmp_path))
    windows = Windows(source, WindowShape(length=4, image_size=16))
    alone = list(training_loader(windows, batch_size=4, seed=1, stop=5))
    loader = training_loader(windows, batch_size=4, seed=1, stop=5, workers=2)
    for _ in range(2):
        for clip, other in zip(alone, loader, strict=True):
            assert torch.equal(clip.frames, other.frames)
            assert torch.equal(clip.actions, other.actions)


@pytest.mark.slow
def test_damage_met_by_a_worker_is_told_in_one_sentence(tmp_path: Path) -> None:
    windows = Windows(opened(log_folder(tmp_path)), WindowShape(length=4, image_size=16))
    (tmp_path / "1.hdf5").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        list(validation_loader(windows, 4, workers=1, strict=True))
    assert str(caught.value).startswith("1.hdf5: cam0: not a readable HDF5 file")
    assert "\n" not in str(caught.value)


RECORDINGS = tuple(f"recording{index}" for index in range(200))


def test_a_split_is_near_its_fractions_and_leaves_nothing_out() -> None:
    split = split_by_hash(RECORDINGS, validation=0.2, test=0.1)
    assert sorted((*split.train, *split.validation, *split.test)) == sorted(RECORDINGS)
    assert 25 <= len(split.validation) <= 55
    assert 8 <= len(split.test) <= 32


def test_new_recordings_move_no_old_one() -> None:
    small, large = split_by_hash(RECORDINGS[:100]), split_by_hash(RECORDINGS)
    assert set(small.train) <= set(large.train)
    assert set(small.validation) <= set(large.validation)
    assert set(small.test) <= set(large.test)


def test_no_wanted_part_is_empty() -> None:
    split = split_by_hash(RECORDINGS[:3], validation=0.001, test=0.001)
    assert (len(split.train), len(split.validation), len(split.test)) == (1, 1, 1)
    assert split_by_hash(RECORDINGS[:3], validation=0, test=0).train == RECORDINGS[:3]
    with pytest.raises(InputError, match="of 2 recordings"):
        split_by_hash(RECORDINGS[:2])


def test_cameras_of_a_recording_stay_together(tmp_path: Path) -> None:
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    for index in range(6):
        write_episode(
            tmp_path / f"{index}.hdf5",
            [frames, frames],
            np.zeros((2, 5)),
            np.zeros((3, 5)),
            low_bound=np.zeros(5),
            high_bound=np.ones(5),
            metadata={},
        )
    source = opened(tmp_path, camera="all")
    split = split_by_hash((view.recording.name for view in source.views), test=0.4)
    names = [source.views[span.view].recording.name for span in split.spans(source, "test")]
    assert len(names) == 2 * len(set(names)) > 0


def test_a_saved_split_comes_back_and_a_changed_one_does_not(tmp_path: Path) -> None:
    split = split_by_hash(RECORDINGS)
    path = tmp_path / "split.json"
    split.save(path)
    assert load_split(path) == split
    path.write_text(path.read_text().replace("recording7", "recording777"))
    with pytest.raises(InputError, match="digest"):
        load_split(path)
    path.write_text("[]")
    with pytest.raises(InputError, match="expected JSON with train"):
        load_split(path)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Split(("a", "b"), ("b",), ()), "b is in two"),
        (
            lambda: Split((), (), ("recording0", "x")).spans(Counting((5,)), "test"),
            "1 of 2 test recordings are not among the 1 of the source, first x",
        ),
    ],
)
def test_impossible_splits_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


@pytest.mark.parametrize("stride", [1, 2])
def test_statistics_are_those_of_all_chosen_actions(stride: int) -> None:
    source = Counting((9, 2, 15, 6))
    chosen = [Span(0, 0, 9), Span(1, 0, 2), Span(3, 1, 5)]
    actions = np.concatenate(
        [
            strided_actions(source.actions(index)[start : stop - 1], NAMES, stride)
            for index, start, stop in chosen
        ]
    )
    statistics = action_statistics(source, chosen, stride)
    np.testing.assert_allclose(statistics.mean, actions.mean(axis=0, dtype=float))
    np.testing.assert_allclose(statistics.std, actions.std(axis=0, dtype=float))
    np.testing.assert_array_equal(statistics.minimum, actions.min(axis=0))
    np.testing.assert_array_equal(statistics.maximum, actions.max(axis=0))


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="got 1 with none"):
        action_statistics(Counting((2,)), [Span(0, 0, 2)], stride=2)
