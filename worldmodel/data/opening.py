"""From paths and URLs to a source: which format, which camera, which actions, what is damaged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import permutations
from pathlib import PurePosixPath
from typing import NamedTuple

from worldmodel.data.files.folder import Folder
from worldmodel.data.flaws import summary
from worldmodel.data.formats import FORMATS
from worldmodel.data.index import scanned
from worldmodel.data.reader import Reader
from worldmodel.data.recording import Flaw, View, by_recording
from worldmodel.data.source import EpisodeSource, LogSource, MixedSource
from worldmodel.errors import InputError

Camera = int | str | list[int | str]

_log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """A data set whose files were looked through.

    Attributes:
        reader: Its format.
        views: The episodes of the chosen cameras; of one recording, they are neighbours.
        versions: One per view, see `EpisodeSource.version`.
        flaws: What cannot be used.
    """

    reader: Reader
    views: tuple[View, ...]
    versions: tuple[str, ...]
    flaws: tuple[Flaw, ...]


def find_reader(folder: Folder, format: str | None = None) -> Reader:
    """The reader of a folder.

    Args:
        folder: What to read.
        format: Name in `FORMATS`; found out if left out.

    Raises:
        InputError: The name is unknown, or the folder looks like no known format.
    """
    if format is not None:
        return _named(format)(folder)
    for kind in FORMATS.values():
        if kind.recognises(folder):
            return kind(folder)
    examples = ", ".join(list(folder.files)[:5])
    raise InputError(
        f"{folder}: {len(folder.files)} files ({examples}) look like no known format of "
        f"recordings; name one to learn what is wrong: {', '.join(FORMATS)}"
    )


def look_through(location: str, format: str | None = None, camera: Camera = "all") -> Opened:
    """Find out what is in a folder, from its index or by a scan.

    Args:
        location: Path or URL.
        format: Name in `FORMATS`; found out if left out.
        camera: Number or name of the camera, or a list of them; "all" for every camera. Numbers
            go by the recording that has most cameras.

    Raises:
        InputError: There is nothing to read.
    """
    if format is not None:
        _named(format)  # before the folder is listed
    reader = find_reader(Folder(location), format)
    views, versions, flaws = scanned(reader)
    if not views and not flaws:
        raise InputError(f"{location}: {reader.title} without a recording")
    chosen, lacking = _of_camera(views, camera)
    return Opened(
        reader,
        tuple(views[index] for index in chosen),
        tuple(versions[index] for index in chosen),
        (*flaws, *lacking),
    )


def open_source(
    locations: Sequence[str],
    format: str | None = None,
    camera: Camera = 0,
    strict: bool = False,
    action_width: int | None = None,
) -> EpisodeSource:
    """The recordings in one or several folders.

    What cannot be used is skipped and told once.

    Args:
        locations: Paths or URLs.
        format: Name in `FORMATS`, of all of them; found out if left out.
        camera: Number or name of the camera, or a list of them, or "all"; there is one episode per
            recording and camera.
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
    sources: dict[str, EpisodeSource] = {
        name: LogSource(found.reader, found.views, found.versions, names)
        for name, found in opened.items()
    }
    return next(iter(sources.values())) if len(sources) == 1 else MixedSource(sources)


def _named(format: str) -> type[Reader]:
    if format not in FORMATS:
        close = get_close_matches(format, FORMATS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"format {format!r} is unknown; {hint}available: {', '.join(FORMATS)}")
    return FORMATS[format]


def _of_camera(views: Sequence[View], camera: Camera) -> tuple[list[int], list[Flaw]]:
    """Indices of the views of some cameras, and the recordings that lack them."""
    if camera == "all":
        return list(range(len(views))), []
    choices = camera if isinstance(camera, list) else [camera]
    recordings = by_recording(views)
    all_cameras = max(
        ([views[index].camera for index in indices] for indices in recordings.values()),
        key=len,
        default=[],
    )
    chosen: list[int] = []
    lacking = []
    for name, indices in recordings.items():
        cameras = [views[index].camera for index in indices]
        named = cameras if len(cameras) == len(all_cameras) else all_cameras
        for wanted in choices:
            own = _name(wanted, named)
            places = [place for place in indices if views[place].camera == own]
            if not places:
                reason = f"no camera {wanted} among its {len(cameras)}: {', '.join(cameras)}"
                lacking.append(Flaw(views[indices[0]].file, name, reason))
            chosen += (place for place in places if place not in chosen)
    return chosen, lacking


def _name(camera: int | str, cameras: Sequence[str]) -> str | None:
    """Of a camera that is given by number or name; None if there is no such number."""
    if isinstance(camera, str):
        return camera
    return cameras[camera] if 0 <= camera < len(cameras) else None


def of_most_actions(opened: Opened) -> Opened:
    """Without the recordings whose actions are not those of most; they become flaws."""
    if not opened.views:
        return opened
    usual = Counter(view.action_names for view in opened.views).most_common(1)[0][0]
    kept = [i for i, view in enumerate(opened.views) if view.action_names == usual]
    odd = (
        Flaw(view.file, view.name, _other_actions(view.action_names, usual))
        for view in opened.views
        if view.action_names != usual
    )
    return opened._replace(
        views=tuple(opened.views[i] for i in kept),
        versions=tuple(opened.versions[i] for i in kept),
        flaws=(*opened.flaws, *odd),
    )


def _other_actions(names: tuple[str, ...], usual: tuple[str, ...]) -> str:
    return (
        f"has {len(names)} actions ({', '.join(names) or 'none'}), most recordings have "
        f"{len(usual)} ({', '.join(usual) or 'none'})"
    )


def _tell(location: str, opened: Opened, strict: bool) -> None:
    recordings = len({view.name for view in opened.views})
    if not opened.flaws:
        return
    reasons = summary(opened.flaws)
    between = "\n" if "\n" in reasons else ": "
    count = f"{len(opened.flaws)} recordings, cameras or files cannot be used"
    told = f"{count}{between}{reasons}"
    if strict or not recordings:
        raise InputError(f"{location}: {told}")
    _log.warning("%s: %s\ngoing on with the other %d recordings", location, told, recordings)


def _common_names(opened: Iterable[Opened], width: int) -> tuple[str, ...]:
    """Names for actions of a width: those of the view that has most, then of padding."""
    known = (
        (*view.action_names, *view.inferred_actions)[:width]
        for found in opened
        for view in found.views
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
