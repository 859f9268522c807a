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
from worldmodel.data.actions import is_delta
from worldmodel.data.blocks import colored, resized
from worldmodel.data.flaws import summary
from worldmodel.data.opening import Opened, look_through, of_most_actions
from worldmodel.data.source import EpisodeSource, LogSource
from worldmodel.data.statistics import action_statistics
from worldmodel.data.view import View, by_recording
from worldmodel.data.windows import Span
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
    if found.flaws and (config.strict or not found.views):
        raise InputError(f"{config.path}: cannot be used\n{summary(found.flaws)}")
    print(_facts(found).markdown())
    source = LogSource(found.reader, found.views, found.versions)
    if source.action_names:
        print(_actions(source).markdown())
    if found.flaws:
        print(f"{len(found.flaws)} recordings or files cannot be used\n{summary(found.flaws)}")
    write_png(sheet, contact_sheet(list(_filmed(source, config))))
    print(f"contact sheet: {sheet}")


def _facts(found: Opened) -> Table:
    views, reader = found.views, found.reader
    first = {view.name: view for view in reversed(views)}
    lengths = sorted(view.length for view in first.values())
    rows = {
        "format": reader.title,
        "recordings": str(len(first)),
        "cameras": "; ".join(_cameras(views)),
        "frames": str(sum(lengths)),
        "length": f"{lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}",
        "frames per second": ", ".join(
            _counted(f"{v.fps:.6g}" if v.fps else "unknown" for v in views)
        ),
        "domains": ", ".join(_counted(view.domain for view in first.values())),
        "published parts": ", ".join(_counted(view.part or "none" for view in first.values())),
        "states": _listed(views[0].state_names),
        "time": _period(views),
        "pixels": f"{reader.scale.quantity} in {reader.scale.unit}"
        if reader.scale
        else "brightness",
        "cannot be used": str(len(found.flaws)),
    }
    return Table.of([{"": key, "found": value} for key, value in rows.items() if value])


def _cameras(views: Sequence[View]) -> Iterator[str]:
    kinds = Counter(
        (v.camera, v.height, v.width, "RGB" if v.channels == 3 else "gray") for v in views
    )
    for (camera, height, width, color), count in kinds.items():
        yield f"{camera or 'the only one'} {height}x{width} {color} ({count})"


def _counted(values: Iterator[str]) -> Iterator[str]:
    counts = Counter(values)
    for value, count in sorted(counts.items()):
        yield f"{value} ({count})" if len(counts) > 1 else value


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)}: {', '.join(names)}" if names else ""


def _period(views: Sequence[View]) -> str:
    known = [view for view in views if not math.isnan(view.start)]
    if not known:
        return ""
    first = min(view.start for view in known)
    last = max(
        view.start + (view.length - 1) / view.fps if view.fps else view.start for view in known
    )
    return " to ".join(f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M}" for t in (first, last))


def _actions(source: EpisodeSource) -> Table:
    views = source.views
    first = {view.name: index for index, view in reversed(list(enumerate(views)))}
    statistics = action_statistics(source, [Span(i, 0, views[i].length) for i in first.values()])
    columns = zip(
        statistics.names,
        views[0].action_units,
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


def _filmed(source: EpisodeSource, config: InspectConfig) -> Iterator[Filmed]:
    """The recordings on the sheet; one that cannot be decoded is named and left out."""
    by_name = by_recording(source.views)
    names = list(by_name)
    places = np.linspace(0, len(names) - 1, min(config.recordings, len(names))).round().astype(int)
    for name in (names[place] for place in places):
        try:
            yield _film(source, name, by_name[name][: config.cameras])
        except InputError as error:
            print(f"not on the contact sheet: {error}")


def _film(source: EpisodeSource, name: str, cameras: Sequence[int]) -> Filmed:
    length = min(source.views[index].length for index in cameras)
    steps = np.unique(np.linspace(0, length - 1, FRAMES).round().astype(int))
    rows = {}
    for index in cameras:
        view = source.views[index]
        size = (HEIGHT, max(1, round(HEIGHT * view.width / view.height)))
        frames = (source.frames(index, range(step, step + 1)).pixels for step in steps.tolist())
        rows[view.camera] = np.concatenate(
            [colored(resized(frame, size, "squash"), "rgb") for frame in frames]
        )
    actions = source.actions(cameras[0])[: length - 1]
    return Filmed(name, rows, steps, actions, source.action_names)
