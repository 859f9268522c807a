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
from worldmodel.data.blocks import pieces
from worldmodel.data.flaws import summary
from worldmodel.data.opening import look_through, of_most_actions
from worldmodel.data.progress import tracked
from worldmodel.data.source import EpisodeSource, LogSource
from worldmodel.data.view import Flaw
from worldmodel.errors import InputError, check_at_least
from worldmodel.output_folder import check_writable


@final
@dataclass(frozen=True)
class ValidateConfig:
    """Decode every frame of every recording.

    Attributes:
        path: Folder, file or URL of recordings.
        format: Name of their format; found out if left out.
        report: File to which a JSON line is added for each episode; what it says is good already
            and has not changed since is not decoded again.
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
    if found.views:
        checked = _checked(LogSource(found.reader, found.views, found.versions), config)
        for view, (reason, note) in zip(found.views, checked, strict=True):
            flaws += [Flaw("", view.name, reason.removeprefix(f"{view.file}: "))] if reason else []
            notes += [f"{view.name}, {view.camera or 'its only camera'}: {note}"] if note else []
    recordings = len({view.name for view in found.views})
    frames = sum(view.length for view in found.views)
    print(
        f"{config.path}: {found.reader.title}, {recordings} recordings, "
        f"{len(found.views)} episodes, {frames} frames"
    )
    for line in notes:
        print(f"note: {line}")
    if flaws:
        raise InputError(f"{config.path}: {len(flaws)} flaws\n{summary(flaws)}")
    print("every frame was decoded and every number is finite")


class Checked(NamedTuple):
    """What is wrong with an episode, and what is odd about it; empty if nothing."""

    reason: str
    note: str


def check_episode(source: EpisodeSource, index: int) -> Checked:
    """Decode all of an episode, a few frames at a time."""
    view, distinct = source.views[index], set[int]()
    try:
        source.actions(index)  # which may be too large for float32
        signals = source.signals(index)
        for steps in pieces(view):
            pixels = source.frames(index, steps).pixels
            distinct.update(np.unique(pixels).tolist())
    except InputError as error:
        return Checked(str(error), "")
    if not all(np.isfinite(values).all() for values in signals):
        return Checked("holds NaN or infinity", "")
    return Checked("", "all pixels are the same" if len(distinct) == 1 else "")


def _checked(source: EpisodeSource, config: ValidateConfig) -> Iterator[Checked]:
    """In the order of the views; the report is written along the way."""
    views, known = source.views, _reported(config.report)
    keys = [f"{view.name} {view.camera} {source.version(i)}" for i, view in enumerate(views)]
    new = [index for index, key in enumerate(keys) if key not in known]
    results = _each(source, new, config.workers)
    with open(config.report, "a") if config.report else nullcontext() as report:
        for index, view in enumerate(tracked(views, "decoding")):
            if keys[index] in known:
                yield known[keys[index]]
                continue
            checked = next(results)
            if report is not None:
                line = {"recording": view.name, "camera": view.camera, "key": keys[index]}
                report.write(json.dumps(line | checked._asdict()) + "\n")
                report.flush()
            yield checked


def _each(source: EpisodeSource, indices: Sequence[int], workers: int) -> Iterator[Checked]:
    if workers == 0:
        yield from (check_episode(source, index) for index in indices)
        return
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=_Sent.keep, initargs=(source,)) as pool:
        yield from pool.map(_check_sent, indices, chunksize=4)


@final
class _Sent:
    """The source of a process that decodes, sent once."""

    source: EpisodeSource

    @classmethod
    def keep(cls, source: EpisodeSource) -> None:
        """Keep it for `_check_sent`."""
        cls.source = source


def _check_sent(index: int) -> Checked:
    return check_episode(_Sent.source, index)


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
