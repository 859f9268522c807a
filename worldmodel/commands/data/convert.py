"""`worldmodel data convert`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, final

import numpy as np

from worldmodel.commands.options import parse
from worldmodel.data.blocks import colored, pieces
from worldmodel.data.flaws import summary
from worldmodel.data.folder import CONVERSION_MARK, Folder
from worldmodel.data.formats.lerobot_writer import LeRobotWriter
from worldmodel.data.formats.minari_writer import MinariWriter
from worldmodel.data.formats.robonet_writer import RoboNetWriter
from worldmodel.data.opening import look_through, of_most_actions
from worldmodel.data.progress import tracked
from worldmodel.data.reader import Reader
from worldmodel.data.source import EpisodeSource, LogSource
from worldmodel.data.video import FRAME_RATE
from worldmodel.data.view import Flaw, Signals, by_recording
from worldmodel.data.writer import Film, Recording, Writer
from worldmodel.errors import InputError, check_one_of
from worldmodel.output_folder import OutputFolder, check_writable

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
    config = parse(ConvertConfig, "data convert", arguments, leading=["path", "out"])
    out = Path(config.out)
    check_writable(out)
    found = of_most_actions(look_through(config.path, config.format))
    if found.flaws and (config.strict or not found.views):
        raise InputError(f"{config.path}: cannot be used\n{summary(found.flaws)}")
    _claim(out, config)
    source = LogSource(found.reader, found.views, found.versions)
    damaged = list(_written(source, WRITERS[config.to](out), config.strict))
    recordings = len({view.name for view in source.views}) - len(damaged)
    if not recordings:
        raise InputError(f"{config.path}: nothing could be written\n{summary(damaged)}")
    (out / CONVERSION_MARK).unlink()
    for line in _lost(source, found.reader, config.to):
        print(f"note: {line}")
    print(f"{out}: {recordings} recordings written as {WRITERS[config.to].title}")
    if left := [*found.flaws, *damaged]:
        print(f"{len(left)} recordings or files left out\n{summary(left)}")


def _lost(source: EpisodeSource, reader: Reader, to: Target) -> Iterator[str]:
    """What the other format cannot hold."""
    views = source.views
    if reader.scale is not None:
        yield f"pixels are plain brightness now, no more {reader.scale.quantity}; none is missing"
    if any(view.part for view in views):
        yield "the published parts are not kept"
    if not all(view.fps for view in views) and to != "minari":
        yield f"frames per second are unknown; videos play at {FRAME_RATE}"
    if to == "lerobot" and len(source.domains) > 1:
        yield f"domains are not kept apart: {', '.join(source.domains)}"


def _claim(out: Path, config: ConvertConfig) -> None:
    """Mark the folder, unless it holds something else.

    Raises:
        InputError: It does.
    """
    source = Folder(config.path).where
    settings = {"path": source, "to": config.to, "format": config.format}
    if out.absolute().is_relative_to(source):
        raise InputError(f"output: {out} lies in {source}, which is read")
    OutputFolder.claim(out, "data convert", settings, note=CONVERSION_MARK)


def _written(source: EpisodeSource, writer: Writer, strict: bool) -> Iterator[Flaw]:
    """Write all recordings; yield those that turned out to be damaged."""
    with writer:
        for name, indices in tracked(by_recording(source.views).items(), "converting"):
            try:
                writer.add(_recording(source, indices))
            except InputError as error:
                if strict:
                    raise
                yield Flaw(source.views[indices[0]].file, name, str(error))


def _recording(source: EpisodeSource, indices: Sequence[int]) -> Recording:
    """A recording with all its cameras, as long as the shortest of them."""
    views = [source.views[index] for index in indices]
    length = min(view.length for view in views)
    signals, view = source.signals(indices[0]), views[0]
    return Recording(
        name=view.name,
        films={
            own.camera or "camera": Film(
                own.height, own.width, partial(_frames, source, index, length)
            )
            for index, own in zip(indices, views, strict=True)
        },
        signals=Signals(signals.actions[: length - 1], signals.states[:length]),
        action_names=view.action_names,
        action_units=view.action_units,
        state_names=view.state_names,
        fps=view.fps,
        domain=view.domain,
        task=view.task,
    )


def _frames(source: EpisodeSource, index: int, length: int) -> Iterator[np.ndarray]:
    """RGB frames, one by one."""
    for steps in pieces(source.views[index], range(length)):
        yield from colored(source.frames(index, steps).pixels, "rgb")
