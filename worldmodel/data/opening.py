"""From paths and URLs to a source: which format, which camera, which actions, what is damaged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import PurePosixPath
from typing import NamedTuple

from worldmodel.data.files.folder import Folder
from worldmodel.data.flaws import summary
from worldmodel.data.format import Format
from worldmodel.data.formats import FORMATS, format_of
from worldmodel.data.index import scanned
from worldmodel.data.reader import Reader
from worldmodel.data.recording import Flaw, Recording
from worldmodel.data.source import LogSource, MixedSource, Source
from worldmodel.errors import InputError

CameraChoice = int | str | list[int | str]

_log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """A data set whose files were looked through.

    Attributes:
        format: What it is.
        reader: Reads it.
        recordings: With the chosen cameras.
        flaws: What cannot be used.
    """

    format: Format
    reader: Reader
    recordings: tuple[Recording, ...]
    flaws: tuple[Flaw, ...]


def look_through(location: str, format: str | None = None, camera: CameraChoice = "all") -> Opened:
    """Find out what is in a folder, from its index or by a scan.

    Args:
        location: Path or URL.
        format: Name in `FORMATS`; found out if left out.
        camera: Number or name of the camera, or a list of them; "all" for every camera. Numbers
            go by the recording that has most cameras.

    Raises:
        InputError: There is nothing to read.
    """
    named = None if format is None else FORMATS[format]  # before the folder is listed
    folder = Folder(location)
    chosen = named or format_of(folder)
    reader = chosen.open(folder)
    recordings, flaws = scanned(reader)
    if not recordings and not flaws:
        raise InputError(f"{location}: {chosen.title} without a recording")
    damaged = {(flaw.recording, flaw.camera) for flaw in flaws}
    seen, lacking = _with_cameras(recordings, camera, damaged)
    return Opened(chosen, reader, tuple(seen), (*flaws, *lacking))


def open_source(
    locations: Sequence[str],
    format: str | None = None,
    camera: CameraChoice = 0,
    strict: bool = False,
    action_width: int | None = None,
) -> Source:
    """The recordings in one or several folders.

    What cannot be used is skipped and told once.

    Args:
        locations: Paths or URLs.
        format: Name in `FORMATS`, of all of them; found out if left out.
        camera: Number or name of the camera, or a list of them, or "all".
        strict: Refuse data sets in which something is damaged.
        action_width: Number of actions to zero-pad or cut all to; recordings whose actions differ
            from most are damaged if left out.

    Raises:
        InputError: Nothing can be used, something is damaged and `strict` was asked for, or the
            data sets have different actions.
    """
    if action_width is not None and action_width < 1:
        raise InputError(f"action_width: expected at least 1, got {action_width}")
    opened = {}
    for location, name in zip(locations, _set_names(locations), strict=True):
        found = look_through(location, format, camera)
        if action_width is None:
            found = of_most_actions(found)
        _tell(location, found, strict)
        opened[name] = found
    names = None if action_width is None else _common_names(opened.values(), action_width)
    sources: dict[str, Source] = {
        name: LogSource(found.reader, found.recordings, names) for name, found in opened.items()
    }
    return next(iter(sources.values())) if len(sources) == 1 else MixedSource(sources)


def _with_cameras(
    recordings: Sequence[Recording],
    choice: CameraChoice,
    damaged: Container[tuple[str, str | None]],
) -> tuple[list[Recording], list[Flaw]]:
    """The recordings with some of their cameras, and what lacks them.

    Args:
        recordings: With all cameras that can be used.
        choice: Which to use.
        damaged: Names of recordings and of cameras that were told already.
    """
    if choice == "all":
        return list(recordings), []
    choices = choice if isinstance(choice, list) else [choice]
    all_cameras = max(map(_cameras, recordings), key=len, default=())
    chosen, lacking = [], []
    for recording in recordings:
        there, own = {camera.name: camera for camera in recording.cameras}, _cameras(recording)
        named = own if len(own) == len(all_cameras) else all_cameras
        wanted = [(_name(each, named), each) for each in choices]
        for name, each in wanted:
            if name not in there and (recording.name, name) not in damaged:
                reason = f"no camera {each} among its {len(there)}: {', '.join(there)}"
                lacking.append(Flaw(recording.file, recording.name, reason))
        if kept := tuple(there[name] for name in dict(wanted) if name in there):
            chosen.append(replace(recording, cameras=kept))
    return chosen, lacking


def _cameras(recording: Recording) -> tuple[str, ...]:
    """Names of those that a number may mean, in order."""
    return recording.all_cameras or tuple(camera.name for camera in recording.cameras)


def _name(camera: int | str, cameras: Sequence[str]) -> str | None:
    """Of a camera that is given by number or name; None if there is no such number."""
    if isinstance(camera, str):
        return camera
    return cameras[camera] if 0 <= camera < len(cameras) else None


def of_most_actions(opened: Opened) -> Opened:
    """Without the recordings whose actions are not those of most; they become flaws."""
    if not opened.recordings:
        return opened
    counts = Counter(recording.action_names for recording in opened.recordings)
    usual = counts.most_common(1)[0][0]
    kept = tuple(each for each in opened.recordings if each.action_names == usual)
    odd = (
        Flaw(each.file, each.name, _other_actions(each.action_names, usual))
        for each in opened.recordings
        if each.action_names != usual
    )
    return opened._replace(recordings=kept, flaws=(*opened.flaws, *odd))


def _other_actions(names: tuple[str, ...], usual: tuple[str, ...]) -> str:
    return (
        f"has {len(names)} actions ({', '.join(names) or 'none'}), most recordings have "
        f"{len(usual)} ({', '.join(usual) or 'none'})"
    )


def _tell(location: str, opened: Opened, strict: bool) -> None:
    if not opened.flaws:
        return
    reasons = summary(opened.flaws)
    between = "\n" if "\n" in reasons else ": "
    told = f"{len(opened.flaws)} recordings, cameras or files cannot be used{between}{reasons}"
    if strict or not opened.recordings:
        raise InputError(f"{location}: {told}")
    count = len(opened.recordings)
    _log.warning("%s: %s\ngoing on with the other %d recordings", location, told, count)


def _common_names(opened: Iterable[Opened], width: int) -> tuple[str, ...]:
    """Names for actions of a width: those of the recording that has most, then of padding."""
    known = (
        (*recording.action_names, *recording.inferred_actions)[:width]
        for found in opened
        for recording in found.recordings
    )
    known = set(known)
    longest = max(known, key=len)
    for names in known:
        if names != longest[: len(names)]:
            raise InputError(
                "action_width: expected actions that mean the same at the same place, got "
                f"{', '.join(names)} and {', '.join(longest)}"
            )
    return (*longest, *(f"padding_{number}" for number in range(len(longest), width)))


def _set_names(locations: Sequence[str]) -> list[str]:
    """The last parts of each location, as many as tell them apart.

    Raises:
        InputError: One lies in another, whose recordings would then be there twice.
    """
    parts = [PurePosixPath(str(location).rstrip("/")).parts for location in locations]
    for one, other in permutations(parts, 2):
        if other[: len(one)] == one:
            inner, outer = "/".join(other), "/".join(one)
            raise InputError(f"expected separate data sets, {inner} lies in {outer}")
    most = max(map(len, parts))
    for count in range(1, most + 1):
        names = ["/".join(those[-count:]) for those in parts]
        if len(set(names)) == len(names):
            return names
    return ["/".join(those) for those in parts]
