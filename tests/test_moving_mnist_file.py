"""Files of Moving MNIST, byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.moving_mnist_file import TEST, VALID, write_clips
from reading import found_in

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.video.moving_mnist import MovingMNISTFile
from worldmodel.data.recording import View

NOISE = np.random.default_rng(0).integers(0, 256, (20, 3, 64, 64), np.uint8)


def views(folder: Path) -> list[View]:
    reader = MovingMNISTFile(Folder(folder))
    findings = found_in(reader)
    return [finding for finding in findings if isinstance(finding, View)]


@pytest.mark.parametrize("array", [NOISE, np.asfortranarray(NOISE)], ids=["C", "Fortran"])
def test_the_test_clips_are_read_bit_by_bit(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / TEST, array)
    reader = MovingMNISTFile(Folder(tmp_path))
    for number, view in enumerate(views(tmp_path)):
        assert (view.recording.name, view.recording.part, view.camera.length) == (
            f"{TEST}/{number}",
            "test",
            20,
        )
        pixels = reader.frames(*view, range(5, 20)).pixels[..., 0]
        np.testing.assert_array_equal(pixels, NOISE[5:, number])


def test_headers_of_python_2_are_read(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (20L, 3L, 64L, 64L), }".ljust(117)
    magic = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little")
    (tmp_path / TEST).write_bytes(magic + header + b"\n" + NOISE.tobytes())
    (first, *_) = views(tmp_path)
    pixels = MovingMNISTFile(Folder(tmp_path)).frames(*first, range(20)).pixels[..., 0]
    np.testing.assert_array_equal(pixels, NOISE[:, 0])


@pytest.mark.parametrize(
    ("file", "part"), [("train", "train"), ("valid", "validation"), ("test", "test")]
)
def test_parts_go_by_file(tmp_path: Path, file: str, part: str) -> None:
    write_clips(tmp_path / f"moving-mnist-{file}.npz", NOISE[:, :1], PREDRNN_CLIPS)
    assert {view.recording.part for view in views(tmp_path)} == {part}


PREDRNN_CLIPS = np.array([[[0, 3], [7, 4]], [[3, 4], [11, 4]]])


@pytest.mark.parametrize("steps", [range(7), range(2), range(3, 7), range(2, 4), range(6, 7)])
def test_a_clip_is_its_input_and_then_its_output(tmp_path: Path, steps: range) -> None:
    """As PredRNN's `input_batch` and `output_batch` cut the frames."""
    write_clips(tmp_path / VALID, NOISE[:, :1], PREDRNN_CLIPS)
    with np.load(tmp_path / VALID) as data:
        clips, raw = data["clips"], data["input_raw_data"]
    parts = [raw[clips[i, 0, 0] : clips[i, 0, 0] + clips[i, 0, 1]] for i in range(2)]
    expected = 255 * np.concatenate(parts)[steps.start : steps.stop, 0]
    pixels = MovingMNISTFile(Folder(tmp_path)).frames(*views(tmp_path)[0], steps).pixels[..., 0]
    np.testing.assert_allclose(pixels, expected, atol=1e-4)


def test_every_byte_survives_floating_point(tmp_path: Path) -> None:
    frames = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    write_clips(tmp_path / VALID, frames, np.array([[[0, 2]], [[2, 2]]]))
    pixels = MovingMNISTFile(Folder(tmp_path)).frames(*views(tmp_path)[0], range(4)).pixels
    np.testing.assert_array_equal(pixels.ravel(), np.arange(256))


def test_bytes_and_colors_are_read_as_they_are(tmp_path: Path) -> None:
    frames = NOISE[:, :, :8, :8].copy()
    np.savez(tmp_path / VALID, clips=PREDRNN_CLIPS, input_raw_data=frames)
    first = views(tmp_path)[0]
    pixels = MovingMNISTFile(Folder(tmp_path)).frames(*first, range(7)).pixels
    assert first.camera.channels == 3
    np.testing.assert_array_equal(pixels, frames[:7].transpose(0, 2, 3, 1))
