"""Frames kept in memory and on disk are those that the source would give."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worldmodel.data.clips.blocks import BLOCK, DECODED_BYTES, FrameBlocks, colored, pieces, resized
from worldmodel.data.recording import Camera, Frames, Recording, Signals, no_signals
from worldmodel.data.source import Source

SIZE = (4, 6)


class Noise(Source):
    """Random pictures; where asked for, some of their pixels are missing."""

    def __init__(self, *lengths: int, missing: bool = False, version: str = "1") -> None:
        self.recordings = tuple(
            Recording(str(n), "", (Camera("", length, 8, 12, 3),), "x", version=version)
            for n, length in enumerate(lengths)
        )
        self.sets, self.timed, self.origin = (len(lengths),), False, "noise"
        self.missing = missing
        self.reads: list[tuple[int, range]] = []

    def frames(self, index: int, steps: range) -> Frames:
        self.reads.append((index, steps))
        view = self.views[index]
        draw = np.random.default_rng(index)
        pixels = draw.integers(0, 256, (view.camera.length, 8, 12, 3), np.uint8)[
            steps.start : steps.stop
        ]
        if not self.missing:
            return Frames(pixels)
        hidden = pixels[..., 0] > 200
        return Frames(np.where(hidden[..., None], 0, pixels).astype(np.uint8), hidden)

    def signals(self, index: int) -> Signals:
        return no_signals(self.views[index].camera.length)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDMODEL_CACHE", str(tmp_path))


def blocks(source: Source, memory: int = 0, disk: int = 0) -> FrameBlocks:
    return FrameBlocks(source, SIZE, "squash", "recorded", memory, disk)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(("memory", "disk"), [(0, 0), (2**20, 0), (0, 2**20), (2**20, 2**20)])
def test_a_stretch_is_the_same_wherever_it_comes_from(
    memory: int, disk: int, missing: bool
) -> None:
    source = Noise(3 * BLOCK - 7, 5, missing=missing)
    whole = blocks(source).frames(0, range(3 * BLOCK - 7))
    if not missing:
        plain = resized(source.frames(0, range(3 * BLOCK - 7)).pixels, SIZE, "squash")
        np.testing.assert_array_equal(whole, plain.transpose(0, 3, 1, 2))
    kept = blocks(source, memory, disk)
    for _ in range(2):
        for start, stop in ((0, 3), (BLOCK - 2, BLOCK + 2), (10, 2 * BLOCK + 5), (180, 185)):
            frames = kept.frames(0, range(start, stop))
            assert frames.shape == (stop - start, 4 if missing else 3, *SIZE)
            np.testing.assert_array_equal(frames, whole[start:stop])
    assert kept.frames(1, range(5)).shape[0] == 5


def test_what_is_on_disk_is_not_read_again_even_by_another_process() -> None:
    source = Noise(BLOCK + 5)
    first = blocks(source, disk=2**20).frames(0, range(BLOCK + 5))
    source.reads.clear()
    np.testing.assert_array_equal(blocks(source, disk=2**20).frames(0, range(3, 9)), first[3:9])
    assert source.reads == []


def test_a_new_version_is_read_again_and_the_old_one_dropped() -> None:
    blocks(Noise(9), disk=2**20).frames(0, range(9))
    newer = Noise(9, version="2")
    blocks(newer, disk=2**20).frames(0, range(9))
    assert len(newer.reads) == 1
    assert len(stored()) == 1


def test_a_cut_block_is_read_again() -> None:
    source = Noise(9)
    first = blocks(source, disk=2**20).frames(0, range(9))
    (path,) = stored()
    path.write_bytes(path.read_bytes()[:-5])
    source.reads.clear()
    np.testing.assert_array_equal(blocks(source, disk=2**20).frames(0, range(9)), first)
    assert len(source.reads) == 1


def test_the_disk_holds_no_more_than_its_limit() -> None:
    block = 9 * 3 * SIZE[0] * SIZE[1]
    kept = blocks(Noise(*[9] * 6), disk=4 * block)
    for index in range(6):
        kept.frames(index, range(9))
    assert sum(path.stat().st_size for path in stored()) == 4 * block


def test_pictures_used_long_ago_make_room_for_others() -> None:
    block = 9 * 3 * SIZE[0] * SIZE[1]
    blocks(Noise(9, 9), disk=2 * block).frames(0, range(9))
    blocks(Noise(9, 9), disk=2 * block).frames(1, range(9))
    for folder in Path(os.environ["WORLDMODEL_CACHE"], "frames").iterdir():
        os.utime(folder, (1, 1))
    other = Noise(9)
    other.origin = "elsewhere"
    blocks(other, disk=2 * block).frames(0, range(9))
    assert len(stored()) == 1


class Flat(Source):
    """All that was measured is 200; the right third was not, and a column beside it half."""

    recordings = (Recording("0", "", (Camera("", 2, 8, 12, 1),), "x"),)
    sets, timed, origin = (1,), False, "flat"

    def frames(self, index: int, steps: range) -> Frames:
        missing = np.zeros((len(steps), 8, 12), bool)
        missing[:, :, 8:] = True
        missing[:, ::2, 6:8] = True
        return Frames(np.where(missing, 0, 200).astype(np.uint8)[..., None], missing)

    def signals(self, index: int) -> Signals:
        return no_signals(2)


def test_what_was_not_measured_does_not_darken_what_was() -> None:
    frames = FrameBlocks(Flat(), (4, 6), "squash", "recorded", 0).frames(0, range(2))
    pixels, hidden = frames[:, 0], frames[:, 1] > 0
    assert hidden[:, :, 4:].all()
    assert not hidden[:, :, :3].any()
    assert not pixels[hidden].any()
    assert np.abs(pixels[~hidden].astype(int) - 200).max() <= 2


def test_a_folder_that_vanishes_is_made_again_and_one_that_fails_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = blocks(Noise(9, 9), disk=2**20)
    shutil.rmtree(Path(os.environ["WORLDMODEL_CACHE"], "frames"))
    kept.frames(0, range(9))
    assert len(stored()) == 1
    shutil.rmtree(Path(os.environ["WORLDMODEL_CACHE"], "frames"))
    Path(os.environ["WORLDMODEL_CACHE"], "frames").write_text("in the way")
    assert kept.frames(1, range(9)).shape[0] == 9
    assert "kept on disk no more" in caplog.text


def test_opening_again_leaves_what_another_process_is_writing() -> None:
    source = Noise(9)
    blocks(source, disk=2**20).frames(0, range(9))
    (path,) = stored()
    unfinished = path.with_name(f".{path.name}.123")
    unfinished.write_bytes(b"x")
    blocks(source, disk=2**20)
    assert unfinished.exists()


def test_cameras_share_the_folder() -> None:
    left, right = Noise(9), Noise(9)
    (recording,) = right.recordings
    camera = replace(recording.cameras[0], name="right")
    right.recordings = (replace(recording, cameras=(camera,)),)
    for source in (left, right, left, right):
        blocks(source, disk=2**20).frames(0, range(9))
    assert (len(left.reads), len(right.reads)) == (1, 1)


def test_large_pictures_are_decoded_a_few_at_a_time() -> None:
    stretches = pieces(Camera("", length=50, height=2000, width=3000, channels=3))
    assert [step for few in stretches for step in few] == list(range(50))
    assert max(len(few) for few in stretches) * 2000 * 3000 * 3 <= DECODED_BYTES


def test_gray_is_the_luma_that_pillow_computes() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    luma = np.stack([np.asarray(Image.fromarray(frame).convert("L")) for frame in frames])
    assert np.abs(colored(frames, "gray")[..., 0].astype(int) - luma).max() <= 1
    assert colored(frames, "recorded") is frames
    gray = frames[..., :1]
    np.testing.assert_array_equal(colored(gray, "rgb"), np.repeat(gray, 3, axis=3))


def stored() -> list[Path]:
    """All blocks on disk."""
    folder = Path(os.environ["WORLDMODEL_CACHE"], "frames")
    return [path for path in folder.rglob("*") if path.is_file()]
