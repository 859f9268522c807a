"""KTH's published list of sequences, its videos, and its pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from formats.kth import LIST, gray, write_video
from reading import found_in, frames_at
from writing import encode_png

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.video.kth import KTH
from worldmodel.data.formats.video.kth_frames import KTHFrames
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError

PUBLISHED = {
    "person01_boxing_d1\t\tframes\t1-95, 96-185, 186-245, 246-360": [95, 90, 60, 115],
    "person07_jogging_d4\t\tframes\t1-64, 270-332, 194-264, 490-570": [64, 63, 71, 81],
    "person07_handclapping_d2    \tframes\t1-102, 103-248, 249-368, 369-518": [102, 146, 120, 150],
    "person11_boxing_d4    \t\tframes\t1-106, 107-194, 195-250": [106, 88, 56],
    "person15_handclapping_d2\tframes\t1-85, 86-155, 156-228, 228-285": [85, 70, 73, 58],
    "person16_handwaving_d4\t\tframes\t1-104, 105-206, 207-311, 212-456": [104, 102, 105, 245],
    "person22_boxing_d1\t\tframes\t1-92, 104-208, 222-302": [92, 105, 81],
}
"""Lines of the list, and how many frames their ranges hold."""


def found(reader: KTH | KTHFrames) -> list[View | Flaw]:
    return found_in(reader)


def views(reader: KTH | KTHFrames) -> list[View]:
    return [finding for finding in found(reader) if isinstance(finding, View)]


@pytest.mark.parametrize("line", PUBLISHED)
def test_published_lines(line: str, tmp_path: Path) -> None:
    name = line.split(maxsplit=1)[0]
    write_video(tmp_path / f"{name}_uncomp.avi", np.zeros((600, 16, 16, 3), np.uint8))
    (tmp_path / "00sequences.txt").write_text(f"{line}\n{LIST}")
    read = views(KTH(Folder(tmp_path)))
    assert [view.camera.length for view in read] == PUBLISHED[line]
    assert [view.recording.name for view in read] == [
        f"{name}_uncomp.avi/{number + 1}" for number in range(len(read))
    ]


def test_a_sequence_begins_with_the_frame_that_is_listed(tmp_path: Path) -> None:
    frames = gray(0, 12)
    write_video(tmp_path / "person01_boxing_d1_uncomp.avi", frames)
    (tmp_path / "00sequences.txt").write_text("person01_boxing_d1\tframes\t5-9,")
    reader = KTH(Folder(tmp_path))
    (view,) = views(reader)
    read = reader.frames(*view, range(view.camera.length)).pixels[..., 0].astype(int)
    distances = np.abs(read[0] - frames[..., 0]).mean(axis=(1, 2))
    assert distances.argmin() == 4
    assert np.abs(read[-1] - frames[8, ..., 0]).mean() < 3


def test_what_is_known_of_a_recording(tmp_path: Path) -> None:
    for name in ("boxing/person16_boxing_d4", "running/person17_running_d1"):
        write_video(tmp_path / f"{name}_uncomp.avi", gray(0, 4))
    boxing, running = views(KTH(Folder(tmp_path)))
    assert boxing.recording.name == "boxing/person16_boxing_d4_uncomp.avi"
    assert (boxing.recording.domain, boxing.recording.part) == ("boxing", "train")
    assert (running.recording.domain, running.recording.part) == ("running", "test")
    assert (boxing.camera.channels, boxing.camera.fps, boxing.camera.length) == (1, 25.0, 4)


def test_a_video_cut_short_keeps_the_sequences_before_the_cut(tmp_path: Path) -> None:
    line = "person01_boxing_d4\tframes\t1-20, 21-60"
    path = tmp_path / "person01_boxing_d4_uncomp.avi"
    noise = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), np.uint8)
    write_video(path, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    (tmp_path / "00sequences.txt").write_text(f"{line}\n{LIST}")
    reader = KTH(Folder(tmp_path))
    (kept,) = views(reader)
    assert (kept.recording.name, kept.camera.length) == ("person01_boxing_d4_uncomp.avi/1", 20)
    assert len(reader.frames(*kept, range(20)).pixels) == 20
    (flaw,) = [finding for finding in found(reader) if isinstance(finding, Flaw)]
    assert flaw.recording == "person01_boxing_d4_uncomp.avi/2"


def test_a_list_without_the_video_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "person13_handclapping_d3_uncomp.avi", gray(0, 4))
    (tmp_path / "00sequences.txt").write_text(LIST)
    with pytest.raises(InputError, match="no line of frames"):
        found(KTH(Folder(tmp_path)))


def test_other_videos_are_not_recognised(data: Path) -> None:
    assert not KTH.recognises(Folder(data / "kth_clips"))
    with pytest.raises(InputError, match="person01_boxing_d1_uncomp"):
        KTH(Folder(data / "kth_clips")).units()


def test_real_clips_under_their_published_names(data: Path, tmp_path: Path) -> None:
    clips = sorted((data / "kth_clips").glob("*.avi"))
    for number, clip in enumerate(clips):
        shutil.copy(clip, tmp_path / f"person{number + 14}_walking_d1_uncomp.avi")
    reader = KTH(Folder(tmp_path))
    read = views(reader)
    assert [view.recording.part for view in read] == ["train"] * 3 + ["test"] * 2
    assert [
        (view.camera.length, view.camera.height, view.camera.width, view.camera.fps)
        for view in read
    ] == [(75, 32, 32, 25.0)] * 5
    for clip, view in zip(clips, read, strict=True):
        with av.open(str(clip)) as container:
            colors = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
        luma = colors @ np.array([0.299, 0.587, 0.114])
        pixels = reader.frames(*view, range(50, 60)).pixels[..., 0]
        assert np.abs(pixels - luma[50:60]).max() < 1
        assert pixels.std() > 5


def test_pictures_split_where_frames_were_left_out(tmp_path: Path) -> None:
    video = tmp_path / "kth" / "walking" / "person20_walking_d1_uncomp"
    video.mkdir(parents=True)
    frames = gray(1, 9)
    for number, frame in zip((1, 2, 3, 4, 50, 51, 52, 53, 99), frames, strict=True):
        (video / f"image_{number:04d}.png").write_bytes(encode_png(frame))
    (video / "notes.txt").write_text("no picture")
    reader = KTHFrames(Folder(tmp_path))
    alone, first, second = found(reader)
    assert isinstance(first, View)
    assert isinstance(second, View)
    assert isinstance(alone, Flaw)
    assert first.recording.name == "kth/walking/person20_walking_d1_uncomp/image_0001"
    assert second.recording.name.endswith("image_0050")
    assert alone.file.endswith("image_0099.png")
    assert (first.camera.length, first.camera.fps) == (4, 25.0)
    assert (first.recording.part, first.recording.domain) == ("test", "walking")
    np.testing.assert_array_equal(reader.frames(*second, range(1, 4)).pixels, frames[5:8, ..., :1])


def test_names_of_other_extractions(tmp_path: Path) -> None:
    video = tmp_path / "jogging" / "person03_jogging_d2_uncomp"
    video.mkdir(parents=True)
    for number, frame in enumerate(gray(1, 12), 1):
        (video / f"image-{number:03d}_64x64.png").write_bytes(encode_png(frame))
    (view,) = views(KTHFrames(Folder(tmp_path)))
    assert (view.camera.length, view.recording.part) == (12, "train")


def test_an_empty_picture_splits_a_recording(tmp_path: Path) -> None:
    video = tmp_path / "person03_jogging_d2"
    video.mkdir()
    for number, frame in enumerate(gray(1, 5), 1):
        content = b"" if number == 3 else encode_png(frame)
        (video / f"image_{number:04d}.png").write_bytes(content)
    flaw, first, second = found(KTHFrames(Folder(tmp_path)))
    assert isinstance(flaw, Flaw)
    assert flaw.reason == "empty file"
    assert [view.camera.length for view in (first, second) if isinstance(view, View)] == [2, 2]


def test_only_the_wanted_pictures_are_read(tmp_path: Path) -> None:
    video = tmp_path / "person03_jogging_d2"
    video.mkdir()
    frames = gray(1, 6)
    for number, frame in enumerate(frames):
        (video / f"image_{number:04d}.png").write_bytes(encode_png(frame))
    reader = KTHFrames(Folder(tmp_path))
    (view,) = views(reader)
    for number in (0, 1, 4, 5):
        (video / f"image_{number:04d}.png").unlink()
    np.testing.assert_array_equal(reader.frames(*view, range(2, 4)).pixels, frames[2:4, ..., :1])
    with pytest.raises(InputError, match=r"image_0004\.png: .*frame 4: cannot be read"):
        frames_at(reader, view, range(3, 5))
