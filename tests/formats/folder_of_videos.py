"""Plain folders of videos and pictures for the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, final

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from av.video.stream import VideoStream
from writing import encode_png

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.files.video import encode_mp4
from worldmodel.data.formats.plain.videos import VideoFolder

FPS = 12


def write_avi(path: Path, frames: np.ndarray) -> None:
    """Write MPEG-4 as in the clips of KTH, RGB frames (T, H, W, 3)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(FPS))
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 10_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_csv(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write a table; nothing stands for NaN."""
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(",".join("" if np.isnan(value) else repr(float(value)) for value in row))
    path.write_text("\n".join(lines) + "\n")


def write_pictures(folder: Path, frames: np.ndarray, first: int = 0, step: int = 1) -> None:
    """Write numbered pictures without leading zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    for t, frame in enumerate(frames):
        (folder / f"frame_{first + step * t}.png").write_bytes(encode_png(frame))


@final
class VideoFolderCase(FormatCase):
    """Each kind of pictures and each kind of a file of actions."""

    reader = VideoFolder
    tolerance = 6.0

    def write(self, folder: Path) -> list[Truth]:
        """Write a video, two folders of pictures, and a recording of two cameras."""
        (folder / "run" / "cameras").mkdir(parents=True)
        (folder / "walk").mkdir()
        none = np.zeros
        truths = []

        pixels, actions = moving_square(0, 6), walk(0, 6, 2, np.float64)
        write_pictures(folder / "run" / "a", pixels[..., :1], first=7)
        content = {"actions": actions.tolist(), "action_names": ["dx", "grip"], "fps": FPS}
        (folder / "run" / "a" / "actions.json").write_text(json.dumps(content))
        truths.append(Truth("run/a", "", pixels[..., :1], actions[:-1], none((6, 0))))

        actions, states = walk(1, 7, 3), walk(2, 8, 4)
        front, wrist = moving_square(1, 8), moving_square(2, 8)
        (folder / "run/cameras/front.mp4").write_bytes(encode_mp4(front, FPS))
        write_avi(folder / "run/cameras/wrist.avi", wrist)
        np.savez(folder / "run/cameras/actions.npz", actions=actions, states=states)
        truths.append(Truth("run/cameras", "front", front, actions, states))
        truths.append(Truth("run/cameras", "wrist", wrist, actions, states))

        pixels, table = moving_square(3, 9), walk(3, 9, 3, np.float64)
        (folder / "walk/c.mp4").write_bytes(encode_mp4(pixels, FPS))
        table[-1, 1] = np.nan
        columns = {"state_x": table[:, 0], "dx": table[:, 1], "dy": table[:, 2]}
        write_csv(folder / "walk/c.csv", {"frame": np.arange(9.0)} | columns)
        truths.append(Truth("walk/c.mp4", "", pixels, table[:-1, 1:], table[:, :1]))

        pixels, actions = moving_square(4, 5), walk(4, 5, 2)
        (folder / "walk" / "d").mkdir()
        for t, frame in enumerate(pixels):
            (folder / f"walk/d/{10 * t}.jpg").write_bytes(encode_jpeg(frame))
        write_parquet(folder / "walk/d.parquet", {"dx": actions[:, 0], "dy": actions[:, 1]})
        truths.append(Truth("walk/d", "", pixels, actions[:-1], none((5, 0))))
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to each of the recordings."""
        edited, a, cameras, c, d = (
            _json_edited,
            ("run/a",),
            ("run/cameras",),
            ("walk/c.mp4",),
            ("walk/d",),
        )
        csv, parquet = "walk/c.csv", "walk/d.parquet"
        return {
            "no actions file": Damage(_removed(csv), "has no file of actions, and others", c),
            "two actions files": Damage(
                lambda folder: write_csv(folder / "run/a.csv", {"dx": np.zeros(6)}),
                "expected one file of actions, got run/a/actions.json, run/a.csv",
                a,
            ),
            "nan": Damage(edited("actions", [[np.nan, 1]] * 5), "NaN or infinity at 5", a),
            "infinite": Damage(edited("actions", [[1, np.inf]] * 5), "NaN or infinity", a),
            "ragged": Damage(edited("actions", [[1], [1, 2]] * 3), "equally many", a),
            "text": Damage(edited("actions", [["1", "2"]] * 6), "to be numbers", a),
            "no list": Damage(edited("actions", {"dx": [1]}), "a list of rows", a),
            "nulls": Damage(edited("actions", [[None, 1]] * 6), "to be numbers", a),
            "huge number": Damage(edited("actions", [[10**400, 1]] * 6), "to be numbers", a),
            "few names": Damage(edited("action_names", ["dx"]), "expected 2 'action_names'", a),
            "same names": Damage(edited("action_names", ["x", "x"]), "different names", a),
            "no word": Damage(edited("action_units", [1, 2]), "list of words", a),
            "endless": Damage(edited("fps", np.inf), "'fps' to be a number", a),
            "very fast": Damage(edited("fps", 10**400), "'fps' to be a number", a),
            "deep": Damage(
                lambda folder: _write(folder / "run/a/actions.json", b"[" * 100_000),
                "not a readable json",
                a,
            ),
            "few actions": Damage(_table_of(csv, 7), "expected 8 or 9 actions .* got 7", c),
            "no last state": Damage(_table_of(csv, 8), "expected 9 states", c),
            "no header": Damage(
                lambda folder: _write(folder / csv, b"1.0,2.0\n" * 10), "line of names", c
            ),
            "words": Damage(
                lambda folder: _write(folder / csv, b"dx\n" + b"left\n" * 9), "'dx', got string", c
            ),
            "no columns of actions": Damage(
                lambda folder: write_csv(folder / csv, {"state": np.zeros(9)}), "of actions", c
            ),
            "odd header": Damage(
                lambda folder: _write(folder / csv, b"d\xcd\n" + b"1\n" * 9), "readable csv", c
            ),
            "column twice": Damage(
                lambda folder: _write(folder / csv, b"dx,dx\n" + b"1,2\n" * 9), "different", c
            ),
            "lists": Damage(
                lambda folder: write_parquet(folder / parquet, {"dx": [[1.0]] * 5}), "one number", d
            ),
            "nothing in npz": Damage(
                lambda folder: np.savez(folder / "run/cameras/actions.npz", other=np.zeros(8)),
                "expected an array 'actions', available: other",
                cameras,
            ),
            "objects": Damage(
                lambda folder: np.savez(
                    folder / "run/cameras/actions.npz", action=np.array([{}] * 8)
                ),
                "numbers",
                cameras,
            ),
            "short camera": Damage(
                lambda folder: write_avi(folder / "run/cameras/wrist.avi", moving_square(2, 7)),
                r"cameras differ in their number of frames: \[7, 8\]",
                cameras,
            ),
            "camera twice": Damage(
                lambda folder: write_avi(folder / "run/cameras/front.avi", moving_square(2, 8)),
                "cameras of different names",
                cameras,
            ),
            "gap": Damage(_removed("walk/d/20.jpg"), "pictures are missing", d),
            "number twice": Damage(
                lambda folder: _write(folder / "walk/d/20.png", b""), "different numbers", d
            ),
            "one picture": Damage(_without_but_one, "at least 2 usable frames, got 1", d),
            "other size": Damage(
                lambda folder: _write(
                    folder / "walk/d/20.jpg", encode_jpeg(moving_square(0, 1, 16)[0])
                ),
                "walk/d/20.jpg: frame 2: expected a picture of 24x32",
                d,
                when_read=True,
            ),
            "broken picture": Damage(
                lambda folder: _write(folder / "walk/d/20.jpg", b"broken"),
                "walk/d/20.jpg: frame 2: no readable picture",
                d,
                when_read=True,
            ),
        }


def write_parquet(path: Path, columns: Mapping[str, Any]) -> None:
    """Write a table."""
    pq.write_table(pa.table(dict(columns)), path)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _removed(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def _json_edited(key: str, value: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "run/a/actions.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

    return apply


def _table_of(file: str, rows: int) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        lines = (folder / file).read_text().splitlines()
        (folder / file).write_text("\n".join(lines[: 1 + rows]))

    return apply


def _without_but_one(folder: Path) -> None:
    for path in sorted((folder / "walk/d").iterdir())[1:]:
        path.unlink()
