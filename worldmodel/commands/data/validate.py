"""`worldmodel data validate`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, final

import numpy as np

from worldmodel.commands.options import parse
from worldmodel.data.clips.blocks import pieces
from worldmodel.data.flaws import summary
from worldmodel.data.opening import look_through, of_most_actions
from worldmodel.data.recording import Flaw
from worldmodel.data.source import LogSource, Source, views_of
from worldmodel.errors import InputError, check_at_least
from worldmodel.output_folder import check_writable
from worldmodel.report.progress import tracked


@final
@dataclass(frozen=True)
class ValidateConfig:
    """Decode every frame of every recording.

    Attributes:
        path: Folder, file or URL of recordings.
        format: Name of their format; found out if left out.
        report: File to which a JSON line is added for each camera of each recording; what it says
            is good already and has not changed since is not decoded again.
        workers: Processes that decode; 0 decodes in this one.
    """

    path: str
    format: str | None = None
    report: str | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        check_at_least(0, self, "workers")


def run(arguments: Sequence[str]) -> None:
    """Check everything and say what is wrong.

    Raises:
        InputError: Something is.
    """
    config = parse(ValidateConfig, "data validate", arguments, leading=["path"])
    found = of_most_actions(look_through(config.path, config.format))
    flaws, notes = list(found.flaws), []
    views = views_of(found.recordings)
    if views:
        checked = _checked(LogSource(found.reader, found.recordings), config)
        for (recording, camera), (reason, note) in zip(views, checked, strict=True):
            name = recording.name
            flaws += [Flaw(recording.file, name, reason, camera.name)] if reason else []
            notes += [f"{name}, {camera.name or 'its only camera'}: {note}"] if note else []
    frames = sum(view.camera.length for view in views)
    print(
        f"{config.path}: {found.format.title}, {len(found.recordings)} recordings, "
        f"{len(views)} views, {frames} frames"
    )
    for line in notes:
        print(f"note: {line}")
    if flaws:
        raise InputError(f"{config.path}: {len(flaws)} flaws\n{summary(flaws)}")
    print("every frame was decoded and every number is finite")


class Checked(NamedTuple):
    """What is wrong with a view, and what is odd about it; empty if nothing."""

    reason: str
    note: str


def check_view(source: Source, index: int) -> Checked:
    """Decode all of a view, a few frames at a time."""
    camera, distinct = source.views[index].camera, set[int]()
    try:
        source.actions(index)  # which may be too large for float32
        signals = source.signals(index)
        for steps in pieces(camera):
            pixels = source.frames(index, steps).pixels
            distinct.update(np.unique(pixels).tolist())
    except InputError as error:
        return Checked(Flaw.of(error).reason, "")
    if not all(np.isfinite(values).all() for values in signals):
        return Checked("holds NaN or infinity", "")
    return Checked("", "all pixels are the same" if len(distinct) == 1 else "")


def _checked(source: Source, config: ValidateConfig) -> Iterator[Checked]:
    """In the order of the views; the report is written along the way."""
    views, known = source.views, _reported(config.report)
    keys = [f"{each.name} {camera.name} {each.version}" for each, camera in views]
    new = [index for index, key in enumerate(keys) if key not in known]
    results = _each(source, new, config.workers)
    with open(config.report, "a") if config.report else nullcontext() as report:
        for index, (recording, camera) in enumerate(tracked(views, "decoding")):
            if keys[index] in known:
                yield known[keys[index]]
                continue
            checked = next(results)
            if report is not None:
                line = {"recording": recording.name, "camera": camera.name, "key": keys[index]}
                report.write(json.dumps(line | checked._asdict()) + "\n")
                report.flush()
            yield checked


def _each(source: Source, indices: Sequence[int], workers: int) -> Iterator[Checked]:
    if workers == 0:
        yield from (check_view(source, index) for index in indices)
        return
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=_Sent.keep, initargs=(source,)) as pool:
        yield from pool.map(_check_sent, indices, chunksize=4)


@final
class _Sent:
    """The source of a process that decodes, sent once."""

    source: Source

    @classmethod
    def keep(cls, source: Source) -> None:
        """Keep it for `_check_sent`."""
        cls.source = source


def _check_sent(index: int) -> Checked:
    return check_view(_Sent.source, index)


def _reported(path: str | None) -> dict[str, Checked]:
    """What an earlier report says is good; what it says is damaged is checked again."""
    if path is None:
        return {}
    check_writable(Path(path).parent)
    if not Path(path).exists():
        return {}
    try:
        whole = Path(path).read_text().split("\n")[:-1]  # what follows was cut short
        lines = [json.loads(line) for line in whole]
        return {line["key"]: Checked("", line["note"]) for line in lines if not line["reason"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"report: {path} is no report of validation ({error!r})") from error
