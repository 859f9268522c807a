"""`worldmodel data inspect`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

import numpy as np

from worldmodel.commands.options import parse
from worldmodel.data.clips.actions import is_delta
from worldmodel.data.clips.blocks import colored, resized
from worldmodel.data.clips.statistics import action_statistics
from worldmodel.data.clips.windows import Span
from worldmodel.data.flaws import summary
from worldmodel.data.opening import Opened, look_through, of_most_actions
from worldmodel.data.recording import Recording
from worldmodel.data.source import LogSource, Source, recordings_of
from worldmodel.errors import InputError, check_at_least
from worldmodel.output_folder import check_writable
from worldmodel.report.contact_sheet import Filmed, contact_sheet
from worldmodel.report.picture import write_png
from worldmodel.report.table import Table

FRAMES, HEIGHT = 10, 96
"""Frames of a recording on the contact sheet, and their height in pixels."""


@final
@dataclass(frozen=True)
class InspectConfig:
    """What is in a folder of recordings.

    Attributes:
        path: Folder, file or URL of recordings.
        format: Name of their format; found out if left out.
        sheet: PNG file for the contact sheet; `NAME-contact-sheet.png` if left out.
        recordings: Recordings on the contact sheet, spread over all.
        cameras: Cameras of a recording on the contact sheet at most.
        strict: Refuse recordings that are damaged or missing.
    """

    path: str
    format: str | None = None
    sheet: str | None = None
    recordings: int = 4
    cameras: int = 3
    strict: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "recordings", "cameras")


def run(arguments: Sequence[str]) -> None:
    """Print what there is and draw a contact sheet.

    Raises:
        InputError: There is nothing to read, or something is damaged and `strict` was asked for.
    """
    config = parse(InspectConfig, "data inspect", arguments, leading=["path"])
    found = of_most_actions(look_through(config.path, config.format))
    sheet = Path(config.sheet or f"{found.reader.folder.name}-contact-sheet.png")
    check_writable(sheet.parent)
    if found.flaws and (config.strict or not found.recordings):
        raise InputError(f"{config.path}: cannot be used\n{summary(found.flaws)}")
    print(_facts(found).markdown())
    source = LogSource(found.reader, found.recordings)
    if source.action_names:
        print(_actions(source).markdown())
    if found.flaws:
        print(f"{len(found.flaws)} recordings or files cannot be used\n{summary(found.flaws)}")
    write_png(sheet, contact_sheet(list(_filmed(source, config))))
    print(f"contact sheet: {sheet}")


def _facts(found: Opened) -> Table:
    recordings, reader = found.recordings, found.reader
    lengths = sorted(recording.cameras[0].length for recording in recordings)
    rates = (f"{c.fps:.6g}" if c.fps else "unknown" for r in recordings for c in r.cameras)
    rows = {
        "format": found.format.title,
        "recordings": str(len(recordings)),
        "cameras": "; ".join(_cameras(recordings)),
        "frames": str(sum(lengths)),
        "length": f"{lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}",
        "frames per second": ", ".join(_counted(rates)),
        "domains": ", ".join(_counted(recording.domain for recording in recordings)),
        "published parts": ", ".join(_counted(each.part or "none" for each in recordings)),
        "states": _listed(recordings[0].state_names),
        "time": _period(recordings),
        "pixels": " in ".join(reader.quantity or ("brightness",)),
        "cannot be used": str(len(found.flaws)),
    }
    return Table.of([{"": key, "found": value} for key, value in rows.items() if value])


def _cameras(recordings: Sequence[Recording]) -> Iterator[str]:
    kinds = Counter(
        (c.name, c.height, c.width, "RGB" if c.channels == 3 else "gray")
        for recording in recordings
        for c in recording.cameras
    )
    for (camera, height, width, color), count in kinds.items():
        yield f"{camera or 'the only one'} {height}x{width} {color} ({count})"


def _counted(values: Iterator[str]) -> Iterator[str]:
    counts = Counter(values)
    for value, count in sorted(counts.items()):
        yield f"{value} ({count})" if len(counts) > 1 else value


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)}: {', '.join(names)}" if names else ""


def _period(recordings: Sequence[Recording]) -> str:
    known = [recording for recording in recordings if not math.isnan(recording.start)]
    if not known:
        return ""
    first = min(recording.start for recording in known)
    last = max(
        recording.start + ((camera.length - 1) / camera.fps if camera.fps else 0)
        for recording in known
        for camera in recording.cameras
    )
    return " to ".join(f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M}" for t in (first, last))


def _actions(source: Source) -> Table:
    first = [indices[0] for _, indices in recordings_of(source)]
    spans = [Span(index, 0, source.views[index].camera.length) for index in first]
    statistics = action_statistics(source, spans)
    columns = zip(
        statistics.names,
        source.recordings[0].action_units,
        statistics.minimum,
        statistics.mean,
        statistics.maximum,
        statistics.std,
        strict=True,
    )
    return Table.of(
        [
            {
                "action": name,
                "unit": unit or "unknown",
                "over several frames": "summed" if is_delta(name) else "the last",
                "minimum": low,
                "mean": mean,
                "maximum": high,
                "deviation": std,
            }
            for name, unit, low, mean, high, std in columns
        ]
    )


def _filmed(source: Source, config: InspectConfig) -> Iterator[Filmed]:
    """The recordings on the sheet; one that cannot be decoded is named and left out."""
    known = recordings_of(source)
    places = np.linspace(0, len(known) - 1, min(config.recordings, len(known))).round().astype(int)
    for recording, indices in (known[place] for place in places):
        try:
            yield _film(source, recording, indices[: config.cameras])
        except InputError as error:
            print(f"not on the contact sheet: {error}")


def _film(source: Source, recording: Recording, indices: range) -> Filmed:
    cameras = recording.cameras[: len(indices)]
    length = min(camera.length for camera in cameras)
    steps = np.unique(np.linspace(0, length - 1, FRAMES).round().astype(int))
    rows = {}
    for index, camera in zip(indices, cameras, strict=True):
        size = (HEIGHT, max(1, round(HEIGHT * camera.width / camera.height)))
        frames = (source.frames(index, range(step, step + 1)).pixels for step in steps.tolist())
        rows[camera.name] = np.concatenate(
            [colored(resized(frame, size, "squash"), "rgb") for frame in frames]
        )
    actions = source.actions(indices[0])[: length - 1]
    return Filmed(recording.name, rows, steps, actions, source.action_names)
