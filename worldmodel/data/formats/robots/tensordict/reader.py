"""Rollouts and replay buffers of TorchRL, stored with `TensorDict.memmap`.

Steps follow each other along the last batch dimension; an episode ends where `next` says `done`,
`terminated` or `truncated`, where `collector/traj_ids` changes, and at the end of a row. A replay
buffer's storage that went round is taken apart where its newest step meets its oldest.

Cameras are all uint8 pictures (H, W, C) or (C, H, W), and floating-point ones from 0 to 1 whose
name has `pixels` or `image` in it; the last frame of an episode is that of `next`, if it is there.
Tensors of numbers (D,) whose name begins with `state` or `observation` are the state. Goals,
rewards, recurrent states and all else are not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.names import domain, part
from worldmodel.data.formats.robots.hdf5_episodes import Layout, picture_layout
from worldmodel.data.formats.robots.tensordict.episodes import (
    check_connected,
    split,
    stretches,
    unconnected,
)
from worldmodel.data.formats.robots.tensordict.memmaps import (
    META,
    Stored,
    Tensor,
    content_of,
    files_of,
    roots,
    steps_of,
    stored,
)
from worldmodel.data.formats.signals import matrix, numbered
from worldmodel.data.reader import Reader, Unit, check_any, undamaged
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals
from worldmodel.errors import InputError

ENDS = ("next/done", "next/terminated", "next/truncated")
TRAJECTORIES = "collector/traj_ids"
GOALS = ("goal", "desired_goal")

_LOOKED_INTO = 5


@final
class MemmapRollouts(Reader):
    """One or several stored TensorDicts in a folder; an episode is a recording."""

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether one of the first folders with a `meta.json` is a TensorDict's."""
        return any(_is_tensordict(folder, root) for root in roots(folder)[:_LOOKED_INTO])

    def units(self) -> Iterator[Unit]:
        """One per TensorDict."""
        found = roots(self.folder)
        check_any(self.folder, found, f"folders that TensorDict.memmap wrote, with {META}")
        return (Unit(_inside(root, META), files_of(self.folder, root)) for root in found)

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per episode; pictures are read to see that steps follow each other."""
        root = unit.name.removesuffix(META).removesuffix("/")
        store = stored(self.folder, root)
        layouts = _cameras(store)
        episodes = list(stretches(self._ends(store, root)))
        breaks = [self._breaks(store, layouts, steps) for steps in episodes]
        went_round = len(store.batch) == 1 and sum(map(len, breaks)) == 1
        found = [
            (each, [] if went_round else broken)
            for steps, broken in zip(episodes, breaks, strict=True)
            for each in (split(steps, broken) if went_round else [steps])
        ]
        for number, (steps, broken) in enumerate(found):
            name = _inside(root, f"episode_{number}")
            try:
                check_connected(steps, broken)
                recording, damaged = self._recording(store, root, name, steps, layouts)
                yield recording
                yield from (Flaw.of(error, unit.name, name) for error in damaged)
            except InputError as error:
                yield Flaw.of(error, unit.name, name)

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Read some pictures."""
        store = stored(self.folder, recording.place["root"])
        stored_steps = range(recording.place["start"], recording.place["stop"])
        layout = picture_layout(store.tensors[camera.name].shape[len(store.batch) :])
        if layout is None:
            raise InputError(f"no pictures in {store.tensors[camera.name].shape}")
        return Frames(_pixels(self._rows(store, camera.name, stored_steps, steps), layout))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and states."""
        store = stored(self.folder, recording.place["root"])
        steps = range(recording.place["start"], recording.place["stop"])
        return self._signals(store, steps, camera.length, recording.place["states"])

    def _recording(
        self,
        store: Stored,
        root: str,
        name: str,
        steps: range,
        layouts: Mapping[str, Layout],
    ) -> tuple[Recording, list[InputError]]:
        """An episode, and what is wrong with those of its cameras that cannot be used."""

        def camera(key: str) -> Camera:
            followed = _next(key) in store.tensors
            self._rows(store, key, steps, range(len(steps) + followed)[-1:])
            return Camera(key, len(steps) + followed, *layouts[key][:3])

        cameras, damaged = undamaged(layouts, camera)
        longest = max(camera.length for camera in cameras)
        states = [
            key for key in _states(store) if longest == len(steps) or _next(key) in store.tensors
        ]
        signals = self._signals(store, steps, longest, states)
        names = numbered("action", signals.actions.shape[1])
        recording = Recording(
            name=name,
            file=_inside(root, META),
            cameras=cameras,
            domain=domain(self.folder, name),
            action_names=names,
            action_units=("",) * len(names),
            state_names=numbered("state", signals.states.shape[1]),
            part=part(name),
            all_cameras=tuple(layouts) if damaged else (),
            place={"root": root, "start": steps.start, "stop": steps.stop, "states": states},
        )
        return recording, damaged

    def _signals(self, store: Stored, steps: range, length: int, states: list[str]) -> Signals:
        """Actions and states beside `length` frames, one per step and perhaps one after it."""
        columns = [self._numbers(store, key, steps, length) for key in states]
        found = np.hstack(columns) if columns else np.zeros((length, 0), np.float32)
        if "action" not in store.tensors:
            return Signals(np.zeros((length - 1, 0), np.float32), found)
        return Signals(self._numbers(store, "action", steps, length - 1), found)

    def _numbers(self, store: Stored, key: str, steps: range, length: int) -> np.ndarray:
        rows = self._rows(store, key, steps, range(length))
        return matrix(rows.reshape(length, -1), f"values of {key!r}")

    def _rows(self, store: Stored, key: str, steps: range, wanted: range) -> np.ndarray:
        """What is seen from some of an episode's steps on; after the last, what it led to."""
        values = self._steps(store, key)
        first, stop = steps.start + wanted.start, steps.start + wanted.stop
        rows = values[first : min(stop, steps.stop)]
        if wanted.stop <= len(steps):
            return np.array(rows)
        followed = self._steps(store, _next(key))
        if followed.shape != values.shape or followed.dtype != values.dtype:
            raise InputError(
                f"expected {_next(key)!r} to be {values.dtype} {values.shape} like {key!r}, "
                f"got {followed.dtype} {followed.shape}"
            )
        after = followed[steps.stop - 1 : steps.stop]
        return np.concatenate([rows, after])

    def _steps(self, store: Stored, key: str) -> np.ndarray:
        if key not in store.tensors:
            raise InputError(f"no tensor {key!r}; available: {', '.join(store.tensors)}")
        return steps_of(self.folder, store.tensors[key], store.batch)

    def _ends(self, store: Stored, root: str) -> np.ndarray:
        """True at the last step of each episode, of those that were written. Shape (n,)."""
        batch = store.batch
        ends = np.zeros(batch, bool)
        ends[..., -1] = True
        ends = ends.reshape(-1)
        for key in ENDS:
            if key in store.tensors:
                ends |= self._flags(store, key)
        if TRAJECTORIES in store.tensors:
            ids = self._steps(store, TRAJECTORIES).reshape(len(ends), -1)
            ends[:-1] |= (ids[1:] != ids[:-1]).any(axis=1)
        return self._written(ends, batch, root)

    def _flags(self, store: Stored, key: str) -> np.ndarray:
        flags = self._steps(store, key)
        if flags.dtype != bool or (flags.view(np.uint8) > 1).any():
            raise InputError(f"expected {key!r} to be booleans", file=store.tensors[key].file)
        return np.asarray(flags.reshape(len(flags), -1).any(axis=1))

    def _written(self, ends: np.ndarray, batch: tuple[int, ...], root: str) -> np.ndarray:
        """Those steps of a replay buffer's storage that it counts as written; all of others."""
        filled = content_of(self.folder, _inside(root, "storage_metadata.json")).get("len")
        if not isinstance(filled, int) or not 0 < filled <= batch[0]:
            return ends
        ends = ends[: filled * (len(ends) // batch[0])]
        ends[-1] = True
        writer = _inside(root.rpartition("/")[0], "writer/metadata.json")
        cursor = content_of(self.folder, writer).get("cursor")
        if len(batch) == 1 and isinstance(cursor, int) and 0 < cursor <= filled:
            ends[cursor - 1] = True
        return ends

    def _breaks(self, store: Stored, layouts: Mapping[str, Layout], steps: range) -> list[int]:
        """Steps after which another picture is seen than they led to."""
        for key in layouts:
            if _next(key) in store.tensors:
                seen, led_to = self._steps(store, key), self._steps(store, _next(key))
                return unconnected(seen, led_to, steps)
        return []


def _is_tensordict(folder: Folder, root: str) -> bool:
    try:
        return "tensordict" in str(content_of(folder, _inside(root, META)).get("_type"))
    except InputError:
        return False


def _cameras(store: Stored) -> dict[str, Layout]:
    """Layouts of the tensors that are pictures, those called `pixels` first.

    Raises:
        InputError: There are none.
    """
    found = {
        key: layout
        for key in sorted(store.tensors, key=lambda key: ("pixels" not in key, key))
        if _is_seen(key, store.tensors[key])
        and (layout := picture_layout(store.tensors[key].shape[len(store.batch) :]))
    }
    if not found:
        there = (f"{key} {tensor.dtype} {tensor.shape}" for key, tensor in store.tensors.items())
        raise InputError(
            "expected pictures, uint8 (..., H, W, 3 or 1) or (..., 3 or 1, H, W), "
            f"got {', '.join(there) or 'none'}"
        )
    return found


def _is_seen(key: str, tensor: Tensor) -> bool:
    name = key.rpartition("/")[2]
    if key.startswith("next/") or name in GOALS:
        return False
    named = "pixels" in name or "image" in name
    return tensor.dtype == np.uint8 or (tensor.dtype.kind == "f" and named)


def _states(store: Stored) -> list[str]:
    """Keys of what the robot knows of itself."""
    return [
        key
        for key, tensor in sorted(store.tensors.items())
        if key.rpartition("/")[2].startswith(("state", "observation"))
        and not key.startswith("next/")
        and tensor.dtype.kind == "f"
        and len(tensor.shape) == len(store.batch) + 1
    ]


def _pixels(stored_rows: np.ndarray, layout: Layout) -> np.ndarray:
    """Pictures as bytes, (n, H, W, C)."""
    rows = stored_rows.transpose(0, 2, 3, 1) if layout.channels_first else stored_rows
    if rows.dtype != np.uint8:
        if rows.size and not (rows.min() >= 0 and rows.max() <= 1):
            raise InputError(
                f"expected pictures of {rows.dtype} to be from 0 to 1, "
                f"got {rows.min():g} to {rows.max():g}"
            )
        rows = np.rint(rows.astype(np.float64) * 255)
    return np.ascontiguousarray(rows, np.uint8)


def _next(key: str) -> str:
    return f"next/{key}"


def _inside(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name
