"""`worldmodel data convert`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, final

import numpy as np

from worldmodel.commands.options import check_output, parse, with_leading
from worldmodel.data.clips.blocks import colored, pieces
from worldmodel.data.files.folder import CONVERSION_MARK, Folder
from worldmodel.data.files.video import FRAME_RATE
from worldmodel.data.flaws import summary
from worldmodel.data.formats.robots.lerobot.writer import LeRobotWriter
from worldmodel.data.formats.robots.minari.writer import MinariWriter
from worldmodel.data.formats.robots.robonet.writer import RoboNetWriter
from worldmodel.data.opening import look_through, of_most_actions
from worldmodel.data.progress import tracked
from worldmodel.data.reader import Reader
from worldmodel.data.recording import Camera, Flaw, Recording, Signals
from worldmodel.data.source import LogSource, Source, recordings_of
from worldmodel.data.writer import Footage, Writer
from worldmodel.errors import InputError, check_one_of

Target = Literal["robonet", "lerobot", "minari"]

WRITERS: dict[Target, type[Writer]] = {
    "robonet": RoboNetWriter,
    "lerobot": LeRobotWriter,
    "minari": MinariWriter,
}

_log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class ConvertConfig:
    """Write recordings in another format.

    Attributes:
        path: Folder, file or URL of recordings.
        out: Folder to write to: new, or that of the same conversion, which then goes on.
        to: Format to write.
        format: Name of the recordings' format; found out if left out.
        strict: Refuse recordings that are damaged or missing instead of going on without them.
    """

    path: str
    out: str
    to: Target
    format: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        check_one_of(self, "to", Target)


def run(arguments: Sequence[str]) -> None:
    """Convert with all cameras, and say what was left out.

    Raises:
        InputError: There is nothing to read, the folder is taken, or something is damaged and
            `strict` was asked for.
    """
    config = parse(ConvertConfig, "data convert", with_leading(arguments, "path", "out"))
    out = Path(config.out)
    check_output(out)
    found = of_most_actions(look_through(config.path, config.format))
    if found.flaws and (config.strict or not found.recordings):
        raise InputError(f"{config.path}: cannot be used\n{summary(found.flaws)}")
    _claim(out, config)
    source = LogSource(found.reader, found.recordings)
    damaged = list(_written(source, WRITERS[config.to](out), config.strict))
    recordings = len(source.recordings) - len(damaged)
    if not recordings:
        raise InputError(f"{config.path}: nothing could be written\n{summary(damaged)}")
    (out / CONVERSION_MARK).unlink()
    for line in _lost(source, found.reader, config.to):
        print(f"note: {line}")
    print(f"{out}: {recordings} recordings written as {WRITERS[config.to].title}")
    if left := [*found.flaws, *damaged]:
        print(f"{len(left)} recordings or files left out\n{summary(left)}")


def _lost(source: Source, reader: Reader, to: Target) -> Iterator[str]:
    """What the other format cannot hold."""
    if reader.scale is not None:
        yield f"pixels are plain brightness now, no more {reader.scale.quantity}; none is missing"
    if any(recording.part for recording in source.recordings):
        yield "the published parts are not kept"
    if not all(view.camera.fps for view in source.views) and to != "minari":
        yield f"frames per second are unknown; videos play at {FRAME_RATE}"
    if to == "lerobot" and len(source.domains) > 1:
        yield f"domains are not kept apart: {', '.join(source.domains)}"


def _claim(out: Path, config: ConvertConfig) -> None:
    """Mark the folder, unless it holds something else.

    Raises:
        InputError: It does.
    """
    mark = out / CONVERSION_MARK
    source = Folder(config.path).where
    described = json.dumps({"path": source, "to": config.to, "format": config.format})
    if out.absolute().is_relative_to(source):
        raise InputError(f"out: {out} lies in {source}, which is read")
    if mark.is_file() and mark.read_text() == described:
        return
    if out.exists() and any(out.iterdir()):
        raise InputError(f"out: {out} holds something else; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    mark.write_text(described)


def _written(source: Source, writer: Writer, strict: bool) -> Iterator[Flaw]:
    """Write all recordings; yield those that turned out to be damaged."""
    with writer:
        for recording, indices in tracked(recordings_of(source), "converting"):
            try:
                writer.add(_footage(source, recording, indices))
            except InputError as error:
                if strict:
                    raise
                yield Flaw.of(error, recording.file, recording.name)


def _footage(source: Source, recording: Recording, indices: range) -> Footage:
    """A recording with all its cameras, as long as the shortest of them."""
    length = recording.length
    cameras = tuple(
        replace(camera, name=camera.name or "camera", length=length) for camera in recording.cameras
    )
    signals = source.signals(indices[0])

    def frames(camera: Camera) -> Iterator[np.ndarray]:
        for steps in pieces(camera):
            pixels = source.frames(indices[cameras.index(camera)], steps).pixels
            yield from colored(pixels, "rgb")

    return Footage(
        replace(recording, cameras=cameras),
        Signals(signals.actions[: length - 1], signals.states[:length]),
        frames,
    )
