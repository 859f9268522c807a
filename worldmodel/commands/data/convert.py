"""`worldmodel data convert`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from worldmodel.commands.options import parse
from worldmodel.data.clips.blocks import colored, pieces
from worldmodel.data.files.folder import CONVERSION_MARK, Folder
from worldmodel.data.files.video import FRAME_RATE
from worldmodel.data.flaws import summary
from worldmodel.data.format import Format
from worldmodel.data.formats import FORMATS
from worldmodel.data.opening import look_through, of_most_actions
from worldmodel.data.reader import Reader
from worldmodel.data.recording import Camera, Flaw, Recording, Signals
from worldmodel.data.source import LogSource, Source, recordings_of
from worldmodel.data.writer import Footage, Writer
from worldmodel.errors import InputError
from worldmodel.output_folder import OutputFolder, check_writable
from worldmodel.report.progress import tracked


@final
@dataclass(frozen=True)
class ConvertConfig:
    """Write recordings in another format.

    Attributes:
        path: Folder, file or URL of recordings.
        output: Folder to write to: new, or that of the same conversion, which then goes on.
        to: Format to write, such as robonet, lerobot or minari.
        format: Name of the recordings' format; found out if left out.
        strict: Refuse recordings that are damaged or missing instead of going on without them.
    """

    path: str
    output: str
    to: str
    format: str | None = None
    strict: bool = False


def run(arguments: Sequence[str]) -> None:
    """Convert with all cameras, and say what was left out.

    Raises:
        InputError: There is nothing to read, the folder is taken, or something is damaged and
            `strict` was asked for.
    """
    config = parse(ConvertConfig, "data convert", arguments, leading=["path", "output"])
    output, target = Path(config.output), written_format(config.to)
    assert target.writer is not None
    check_writable(output)
    found = of_most_actions(look_through(config.path, config.format))
    if found.flaws and (config.strict or not found.recordings):
        raise InputError(f"{config.path}: cannot be used\n{summary(found.flaws)}")
    _claim(output, config, target)
    source = LogSource(found.reader, found.recordings)
    damaged = list(_written(source, target.writer(output), config.strict))
    recordings = len(source.recordings) - len(damaged)
    if not recordings:
        raise InputError(f"{config.path}: nothing could be written\n{summary(damaged)}")
    (output / CONVERSION_MARK).unlink()
    for line in _lost(source, found.reader, target.writer):
        print(f"note: {line}")
    print(f"{output}: {recordings} recordings written as {target.title}")
    if left := [*found.flaws, *damaged]:
        print(f"{len(left)} recordings or files left out\n{summary(left)}")


def written_format(name: str) -> Format:
    """A format that can be written.

    Args:
        name: Its name, or the beginning of it if no other one begins so.

    Raises:
        InputError: There is none; lists those that there are.
    """
    if name in FORMATS and FORMATS[name].writer is not None:
        return FORMATS[name]
    known = [format for format in FORMATS.values() if format.writer is not None]
    begun = [format for format in known if format.name.startswith(name.lower())]
    if len(begun) != 1:
        raise InputError(
            f"to: expected a format that can be written, got {name!r}; "
            f"available: {', '.join(format.name for format in known)}"
        )
    return begun[0]


def _lost(source: Source, reader: Reader, writer: type[Writer]) -> Iterator[str]:
    """What the other format cannot hold."""
    if reader.quantity is not None:
        yield f"pixels are brightness from now on, not {reader.quantity.name}, and none is missing"
    if any(recording.part for recording in source.recordings):
        yield "the published parts are not kept"
    if writer.makes_videos and not all(view.camera.fps for view in source.views):
        yield f"frames per second are unknown; videos are made to play at {FRAME_RATE}"
    if not writer.keeps_domains and len(source.domains) > 1:
        yield f"domains are not kept apart: {', '.join(source.domains)}"


def _claim(output: Path, config: ConvertConfig, target: Format) -> None:
    """Mark the folder, unless it holds something else.

    Raises:
        InputError: It does.
    """
    source = Folder(config.path).where
    settings = {"path": source, "to": target.name, "format": config.format}
    if output.absolute().is_relative_to(source):
        raise InputError(f"output: {output} lies in {source}, which is read")
    OutputFolder.claim(output, "data convert", settings, note=CONVERSION_MARK)


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
