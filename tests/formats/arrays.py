"""Folders of arrays for the contract."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from worldmodel.data.formats.plain.arrays import Arrays

HURT = "push/b.npz"


def stacked(frames: np.ndarray, count: int = 3) -> np.ndarray:
    """Each frame behind those before it, (T, 3 * count, H, W), as replay buffers store them."""
    padded = np.concatenate([np.repeat(frames[:1], count - 1, axis=0), frames])
    views = [padded[k : k + len(frames)] for k in range(count)]
    return np.concatenate(views, axis=3).transpose(0, 3, 1, 2)


@final
class ArraysCase(FormatCase):
    """A gray npy file, a replay buffer, floating point pictures, and two cameras."""

    reader = Arrays

    def write(self, folder: Path) -> list[Truth]:
        """Write four files."""
        for name in ("push", "reach"):
            (folder / name).mkdir()
        gray = moving_square(0, 5)[..., 0]
        np.save(folder / "a.npy", gray)

        replay, taken = moving_square(1, 8), walk(1, 7, 4)
        np.savez_compressed(
            folder / HURT,
            observation=np.ascontiguousarray(stacked(replay)),
            action=np.vstack([np.zeros((1, 4), np.float32), taken]),
            reward=np.vstack([[[0.0]], walk(2, 7, 1)]).astype(np.float32),
            discount=np.ones((8, 1), np.float32),
        )

        bright, drives = moving_square(2, 6), walk(3, 5, 2, np.float64)
        np.savez(folder / "push/c.npz", images=bright / np.float32(255), actions=drives)

        front, wrist, moves, states = (
            moving_square(3, 7),
            moving_square(4, 7),
            walk(5, 7, 3),
            walk(6, 7, 5, np.float64),
        )
        np.savez_compressed(
            folder / "reach/d.npz",
            front=front.astype(np.int64),
            wrist=np.ascontiguousarray(wrist.transpose(0, 3, 1, 2)),
            action=moves,
            state=states,
            success=True,
            notes=np.array({"robot": "sawyer"}, object),
        )
        none, nothing = np.zeros((4, 0)), np.zeros((5, 0))
        return [
            Truth("a.npy", "", gray[..., None], none, nothing),
            Truth(HURT, "observation", replay, taken, np.zeros((8, 0))),
            Truth("push/c.npz", "images", bright, drives, np.zeros((6, 0))),
            Truth("reach/d.npz", "front", front, moves[:-1], states),
            Truth("reach/d.npz", "wrist", wrist, moves[:-1], states),
        ]

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second file."""
        lost = (HURT,)

        def edit(key: str, change: Callable[[np.ndarray], object], reason: str) -> Damage:
            return Damage(_edited(key, change), reason, lost)

        return {
            "nan action": edit("action", _with(np.nan), "NaN or infinity"),
            "infinite action": edit("action", _with(np.inf), "NaN or infinity"),
            "fewer actions": edit("action", lambda a: a[:-2], "expected 7 or 8 actions"),
            "more actions": edit("action", lambda a: np.repeat(a, 2, 0), "got 16"),
            "text": edit("action", lambda a: np.full(a.shape, "x"), "numbers"),
            "objects": edit("action", lambda a: a.astype(object), "numbers"),
            "deep actions": edit("action", lambda a: a[:, None], "numbers"),
            "wide actions": edit("action", lambda a: np.zeros((8, 9999)), "at most 4096"),
            "no frames": edit("observation", lambda o: o[:0], "at least 2 frames, got 0"),
            "one frame": edit("observation", lambda o: o[:1], "at least 2 frames, got 1"),
            "a single picture": edit("observation", lambda o: o[0, 0], "expected pictures"),
            "tiny pictures": edit("observation", lambda o: o[..., :4, :4], "expected pictures"),
            "many channels": edit("observation", lambda o: np.tile(o, (1, 2, 1, 1)), "pictures"),
            "newest first": edit(
                "observation",
                lambda o: np.concatenate([o[:, 6:], o[:, 3:6], o[:, :3]], 1),
                "newest last",
            ),
            "too bright": edit("observation", lambda o: o[:, -3:] * 2.0, "from 0 to 1"),
            "below black": edit("observation", lambda o: o[:, -3:] - np.int16(99), "from 0 to 255"),
            "nan pixel": edit("observation", lambda o: o[:, -3:] * np.nan, "from 0 to 1"),
            "other lengths": Damage(_two_cameras, "differ in their number", lost),
            "no pictures": Damage(_without_pictures, "expected pictures.*action float32", lost),
            "huge": Damage(_declare_a_terabyte, "that fills 1128 bytes", lost),
        }


def rewrite(path: Path, changes: Mapping[str, object]) -> None:
    """Replace or add arrays in an npz file; those that become None are left out."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | dict(changes)
    kept: dict[str, Any] = {
        name: np.asarray(array) for name, array in arrays.items() if array is not None
    }
    np.savez_compressed(path, **kept)


def _edited(key: str, change: Callable[[np.ndarray], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with np.load(folder / HURT) as file:
            changed = change(file[key])
        rewrite(folder / HURT, {key: np.ascontiguousarray(changed)})

    return apply


def _with(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def changed(values: np.ndarray) -> np.ndarray:
        values[2, 0] = value
        return values

    return changed


def _two_cameras(folder: Path) -> None:
    rewrite(folder / HURT, {"wrist": moving_square(1, 6)})


def _without_pictures(folder: Path) -> None:
    rewrite(folder / HURT, {"observation": None})


def _declare_a_terabyte(folder: Path) -> None:
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (2**28, 3, 64, 64)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(folder / HURT, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("observation.npy", header.getvalue() + bytes(1000))
