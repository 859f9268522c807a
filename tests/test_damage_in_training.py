"""What is damaged is skipped and told once, by batches that are still full and still the same."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from formats.robonet import RoboNetCase
from reading import opened

from worldmodel.data.clips.loading import (
    ClipLoader,
    TrainingBatches,
    training_loader,
    validation_loader,
)
from worldmodel.data.clips.windows import Windows, WindowShape
from worldmodel.data.opening import open_source
from worldmodel.data.source import MixedSource
from worldmodel.errors import InputError

SHAPE = WindowShape(length=4, image_size=16)


@pytest.fixture
def damaged(tmp_path: Path) -> Windows:
    """Windows over three recordings, one of which is lost after it was scanned."""
    RoboNetCase().write(tmp_path)
    windows = Windows(opened(tmp_path), SHAPE, cache_bytes=0)
    (tmp_path / "1.hdf5").write_bytes(b"")
    return windows


def test_training_puts_others_in_the_place_of_damaged_windows(
    damaged: Windows, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        loader = training_loader(damaged, batch_size=8, seed=0, stop=4)
        clips = list(loader)
    assert [len(clip.frames) for clip in clips] == [8] * 4
    assert [name for _, name in loader.flaws] == ["1.hdf5"]
    assert len(caplog.records) == 1
    assert "1.hdf5: cam0: not a readable HDF5 file" in caplog.text


def test_the_same_batches_come_whatever_was_met_before(damaged: Windows) -> None:
    whole = list(training_loader(damaged, batch_size=4, seed=5, stop=6))
    rest = list(training_loader(damaged, batch_size=4, seed=5, stop=6, start=4))
    for clip, same in zip(whole[4:], rest, strict=True):
        assert torch.equal(clip.frames, same.frames)


def test_validation_leaves_damaged_windows_out(damaged: Windows) -> None:
    loader = validation_loader(damaged, 4)
    total = sum(len(clip.frames) for clip in loader)
    assert total == (6 - 3) + (7 - 3)
    assert len(loader.flaws) == 1


def test_a_large_batch_with_much_damage_is_still_filled(damaged: Windows) -> None:
    (clip,) = training_loader(damaged, batch_size=512, seed=0, stop=1)
    assert len(clip.frames) == 512
    assert sum(len(clip.frames) for clip in validation_loader(damaged, 512)) == 7


def test_strict_refuses(damaged: Windows) -> None:
    with pytest.raises(InputError, match=r"1\.hdf5: cam0: not a readable"):
        list(training_loader(damaged, batch_size=8, seed=0, stop=4, strict=True))


def test_if_all_is_damaged_training_ends_with_a_sentence(tmp_path: Path) -> None:
    RoboNetCase().write(tmp_path)
    windows = Windows(opened(tmp_path), SHAPE, cache_bytes=0)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no undamaged recording found, at last"):
        list(training_loader(windows, batch_size=2, seed=0, stop=1))


@pytest.mark.slow
def test_a_worker_survives_damage(damaged: Windows) -> None:
    alone = list(training_loader(damaged, batch_size=4, seed=1, stop=5))
    loader = training_loader(damaged, batch_size=4, seed=1, stop=5, workers=2)
    for clip, other in zip(alone, loader, strict=True):
        assert torch.equal(clip.frames, other.frames)
    assert len(loader.flaws) == 1


def test_data_sets_are_mixed_by_weight() -> None:
    batches = TrainingBatches([900, 100], 100, seed=0, stop=100, weights=[1, 3])
    draws = np.concatenate(list(batches))
    assert abs((draws >= 900).mean() - 0.75) < 0.02
    # Chi-squared with 99 degrees of freedom exceeds 149 once in a thousand.
    counts = np.bincount(draws[draws >= 900] - 900, minlength=100)
    assert np.sum((counts - counts.mean()) ** 2 / counts.mean()) < 149


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, float("nan")]])
def test_senseless_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match="2 positive weights"):
        TrainingBatches([5, 5], 2, seed=0, stop=1, weights=weights)


def test_mixed_data_sets_keep_their_names_and_pictures(tmp_path: Path) -> None:
    for name in ("east", "west"):
        (tmp_path / name).mkdir()
        RoboNetCase().write(tmp_path / name)
    (tmp_path / "east" / "0.hdf5").unlink()
    source = open_source([str(tmp_path / "east"), str(tmp_path / "west")])
    assert isinstance(source, MixedSource)
    assert source.sets == (2, 3)
    assert [view.recording.name for view in source.views][:3] == [
        "east/1.hdf5",
        "east/2.hdf5",
        "west/0.hdf5",
    ]
    windows = Windows(source, SHAPE)
    assert sum(windows.sizes) == len(windows)
    (tmp_path / "west" / "0.hdf5").write_bytes(b"")
    with pytest.raises(InputError, match=r"^west/0\.hdf5: .*not a readable") as damage:
        windows[windows.sizes[0]]
    assert (damage.value.file, damage.value.recording) == ("0.hdf5", "west/0.hdf5")


def test_a_loader_takes_any_batches(damaged: Windows) -> None:
    (clip,) = ClipLoader(damaged, TrainingBatches([1], 3, seed=0, stop=1))
    assert torch.equal(clip.frames[0], clip.frames[1])
