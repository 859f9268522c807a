"""Human3.6M: names, the middle of a picture, and gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reading import found_in

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.pictures import decode_picture, encode_jpeg
from worldmodel.data.formats.video.human36m import Human36M
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError


def found(folder: Path) -> list[View | Flaw]:
    reader = Human36M(Folder(folder))
    return found_in(reader)


def views(folder: Path) -> list[View]:
    return [finding for finding in found(folder) if isinstance(finding, View)]


def noise(height: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(height)
    coarse = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


def write(folder: Path, take: str, numbers: range, picture: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{take}_{number:06d}.jpg").write_bytes(encode_jpeg(picture))


@pytest.mark.parametrize("side", [1000, 1001, 1002, 1003])
def test_the_middle_is_what_the_published_loader_cuts_out(side: int, tmp_path: Path) -> None:
    image = noise(side, 1000)
    write(tmp_path, "S1_Posing.54138969", range(1, 3), image)
    reader, (view,) = Human36M(Folder(tmp_path)), views(tmp_path)
    image = decode_picture(encode_jpeg(image))
    middle = image[
        image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 4 : -image.shape[1] // 4
    ]
    assert (view.camera.height, view.camera.width, view.camera.channels) == middle.shape
    np.testing.assert_array_equal(reader.frames(*view, range(1, 2)).pixels[0], middle)


@pytest.mark.parametrize(
    ("name", "take", "domain", "part"),
    [
        ("S11_Discussion_1.54138969", "S11_Discussion_1", "Discussion", "test"),
        ("S1_Walking.60457274", "S1_Walking", "Walking", "train"),
        ("S9_WalkTogether 2.55011271", "S9_WalkTogether 2", "WalkTogether", "test"),
        ("S8_TakingPhoto_1.58860488", "S8_TakingPhoto_1", "TakingPhoto", "train"),
        ("S2_Eating.58860488", "S2_Eating", "Eating", ""),
    ],
)
def test_names(name: str, take: str, domain: str, part: str, tmp_path: Path) -> None:
    write(tmp_path / "images", name, range(1, 20, 5), noise(16, 16))
    (view,) = views(tmp_path)
    assert view.recording.name == f"images/{take}/000001"
    assert view.camera.name == name.split(".")[1]
    assert (view.recording.domain, view.recording.part, view.camera.length, view.camera.fps) == (
        domain,
        part,
        4,
        10.0,
    )


def test_every_frame_is_fifty_a_second(tmp_path: Path) -> None:
    write(tmp_path, "S5_Waiting_1.54138969", range(7, 12), noise(16, 16))
    (view,) = views(tmp_path)
    assert (view.recording.name, view.camera.fps) == ("S5_Waiting_1/000007", 50.0)


def test_a_gap_ends_a_recording(tmp_path: Path) -> None:
    write(tmp_path, "S5_Waiting.54138969", range(1, 31, 5), noise(16, 16))
    (tmp_path / "S5_Waiting.54138969_000016.jpg").unlink()
    assert [(view.recording.name, view.camera.length) for view in views(tmp_path)] == [
        ("S5_Waiting/000001", 3),
        ("S5_Waiting/000021", 2),
    ]


def test_a_damaged_first_picture_costs_only_itself(tmp_path: Path) -> None:
    write(tmp_path, "S5_Waiting.54138969", range(1, 31, 5), noise(16, 16))
    (tmp_path / "S5_Waiting.54138969_000001.jpg").write_bytes(b"no picture")
    flaw, view = found(tmp_path)
    assert isinstance(flaw, Flaw)
    assert isinstance(view, View)
    assert flaw.file == "S5_Waiting.54138969_000001.jpg"
    assert (view.recording.name, view.camera.length) == ("S5_Waiting/000006", 5)


def test_other_pictures_are_not_recognised(tmp_path: Path) -> None:
    write(tmp_path, "holiday", range(1, 3), noise(16, 16))
    assert not Human36M.recognises(Folder(tmp_path))
    with pytest.raises(InputError, match="S1_Discussion_1"):
        Human36M(Folder(tmp_path)).units()
