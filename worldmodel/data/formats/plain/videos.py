"""A plain folder of videos, or of folders of numbered pictures, with actions beside them.

A recording is a video (`walk/a.mp4`), or a folder of pictures whose names end in numbers
(`walk/a/0001.png`). Its actions are in a file of the same name (`walk/a.csv`), or in `actions.csv`
inside a folder of pictures; `action_files` says what such files hold.
A folder with `actions.*` beside several videos, or beside several folders of pictures, is one
recording of several cameras (`a/front.mp4`, `a/wrist.mp4`, `a/actions.npz`).

Where some recordings have such a file other than json, those without any cannot be used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import PurePosixPath
from typing import NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.pictures import decode_picture, picture_size
from worldmodel.data.files.video import SUFFIXES as VIDEOS
from worldmodel.data.files.video import video_file
from worldmodel.data.format import Format
from worldmodel.data.formats.names import PARTS, domain, part
from worldmodel.data.formats.plain.action_files import SUFFIXES, Beside, nothing_beside, read_beside
from worldmodel.data.reader import Reader, Unit, check_any, undamaged
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals
from worldmodel.errors import InputError, located

PICTURES = (".png", ".jpg", ".jpeg")


class _Seen(NamedTuple):
    """What a camera saw: a video, or the pictures of a folder in order."""

    camera: str
    files: tuple[str, ...]


class _Found(NamedTuple):
    """What belongs to a recording, and the files of actions that there may be."""

    seen: list[_Seen]
    actions: list[str]


@final
class VideoFolder(Reader):
    """Videos and pictures, in folders by domain or part."""

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a video, or a folder of numbered pictures."""
        return any(
            _is_video(seen.files[0]) or len(seen.files) > 1
            for recording in cls(folder)._recordings.values()
            for seen in recording.seen
        )

    def units(self) -> Iterator[Unit]:
        """One per recording."""
        expected = f"videos ({', '.join(VIDEOS)}) or numbered pictures ({', '.join(PICTURES)})"
        check_any(self.folder, self._recordings, expected)
        for name, recording in sorted(self._recordings.items()):
            files = chain.from_iterable(seen.files for seen in recording.seen)
            yield Unit(name, (*files, *recording.actions, *self._with_actions[:1]))

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per unit."""
        found = self._recordings[unit.name]
        files = dict(found.seen)
        if len(files) < len(found.seen):
            raise InputError("expected cameras of different names")
        cameras, damaged = undamaged(files, lambda name: self._camera(name, files[name]))
        lengths = sorted({camera.length for camera in cameras})
        if len(lengths) > 1:
            raise InputError(f"cameras differ in their number of frames: {lengths}")
        beside = self._beside(found, lengths[0])
        yield Recording(
            name=unit.name,
            file=cameras[0].place["file"],
            cameras=tuple(replace(each, fps=beside.fps or each.fps) for each in cameras),
            domain=domain(self.folder, unit.name),
            action_names=beside.action_names,
            action_units=beside.action_units,
            state_names=beside.state_names,
            part=part(unit.name),
            all_cameras=tuple(files) if damaged else (),
        )
        yield from (Flaw.of(error, recording=unit.name) for error in damaged)

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some frames."""
        first = camera.place["file"]
        if _is_video(first):
            with located(first):
                return Frames(video_file(self.folder.local(first)).frames(steps))
        files = self._pictures.get(PurePosixPath(first).parent, ())
        if len(files) != camera.length:
            raise InputError(f"expected {camera.length} pictures, got {len(files)}")
        pictures = []
        for step in steps:
            with located(files[step], frame=step):
                size = camera.height, camera.width
                pictures.append(
                    decode_picture(self.folder.content(files[step]), size, camera.channels)
                )
        return Frames(np.stack(pictures))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and states."""
        return self._beside(self._recordings[recording.name], camera.length).signals

    @cached_property
    def _recordings(self) -> dict[str, _Found]:
        """By name."""
        found: dict[str, _Found] = {}
        for file in self.folder.named(*VIDEOS):
            path = PurePosixPath(file)
            if self._present(shared := _of_all_cameras(path.parent)):
                self._add(found, path.parent, _Seen(path.stem, (file,)), shared)
            else:
                self._add(found, path, _Seen("", (file,)), _beside(path.with_suffix("")))
        for path, files in self._pictures.items():
            inside, shared = _beside(path / "actions"), _of_all_cameras(path.parent)
            if self._present(shared) and not self._present(inside):
                self._add(found, path.parent, _Seen(path.name, files), shared)
            else:
                own = [*inside, *_beside(path)] if path.name else inside
                self._add(found, path, _Seen("", files), own)
        return found

    def _add(
        self,
        found: dict[str, _Found],
        path: PurePosixPath,
        seen: _Seen,
        actions: list[str],
    ) -> None:
        name = str(path) if path.name else self.folder.name
        found.setdefault(name, _Found([], actions)).seen.append(seen)

    @cached_property
    def _pictures(self) -> dict[PurePosixPath, tuple[str, ...]]:
        """Numbered pictures by folder, in order; those beside a video show something else."""
        videos = {PurePosixPath(file).parent for file in self.folder.named(*VIDEOS)}
        found = defaultdict[PurePosixPath, list[str]](list)
        for file in self.folder.named(*PICTURES):
            parent = PurePosixPath(file).parent
            if parent not in videos and _number(file) is not None:
                found[parent].append(file)
        return {path: tuple(sorted(files, key=_order)) for path, files in found.items()}

    @cached_property
    def _with_actions(self) -> list[str]:
        """All files of actions but those of json, which may be about something else."""
        recordings = self._recordings.values()
        files = (file for recording in recordings for file in self._present(recording.actions))
        return [file for file in files if not file.endswith(".json")]

    def _present(self, files: Iterable[str]) -> list[str]:
        return [file for file in files if file in self.folder]

    def _camera(self, name: str, files: tuple[str, ...]) -> Camera:
        first = files[0]
        with located(first):
            if _is_video(first):
                video = video_file(self.folder.local(first))
                size, length, fps = (video.height, video.width, 3), len(video), video.rate
            else:
                _check_numbers(files)
                size, length, fps = picture_size(self.folder.content(first)), len(files), 0.0
            return Camera(name, length, *size, fps=fps, place={"file": first})

    def _beside(self, found: _Found, length: int) -> Beside:
        files = self._present(found.actions)
        if len(files) > 1:
            raise InputError(f"expected one file of actions, got {', '.join(files)}")
        if files:
            with located(files[0]):
                return read_beside(self.folder.local(files[0]), length)
        if self._with_actions:
            raise InputError("has no file of actions, and others have")
        return nothing_beside(length)


def _of_all_cameras(folder: PurePosixPath) -> list[str]:
    """Files that can hold the actions of a recording whose cameras are in a folder."""
    inside = _beside(folder / "actions")
    if not folder.name or folder.name.lower() in PARTS:  # beside a part, a table lists labels
        return inside
    return [*inside, *_beside(folder)]


def _beside(path: PurePosixPath) -> list[str]:
    """Files of actions of that name that there may be."""
    return [f"{path}{suffix}" for suffix in SUFFIXES]


def _is_video(file: str) -> bool:
    return file.lower().endswith(VIDEOS)


def _number(file: str) -> int | None:
    """The last number in the name of a file."""
    numbers = re.findall(r"\d+", PurePosixPath(file).stem)
    return int(numbers[-1]) if numbers else None


def _order(file: str) -> tuple[int, str]:
    return _number(file) or 0, file


def _check_numbers(files: Iterable[str]) -> None:
    """Refuse pictures of the same number, and gaps."""
    steps = np.diff([float(_order(file)[0]) for file in files])
    if (steps == 0).any():
        raise InputError("expected pictures of different numbers in one folder")
    if steps.size and steps.max() > 1.5 * np.median(steps):
        raise InputError("pictures are missing: there is a gap in their numbers")


FORMAT = Format("videos", "folder of videos", VideoFolder)
