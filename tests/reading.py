"""Short ways to read recordings in tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from worldmodel.data.opening import open_source
from worldmodel.data.reader import Reader
from worldmodel.data.recording import Flaw, Frames, Recording, View
from worldmodel.data.source import LogSource, Source, views_of


def opened(path: Path, camera: int | str = 0, action_width: int | None = None) -> Source:
    """The recordings of a folder, all of which must be good."""
    return open_source([str(path)], camera=camera, strict=True, action_width=action_width)


def frames_of(source: Source, index: int) -> np.ndarray:
    """All frames of a view, uint8 (T, H, W, C)."""
    return source.frames(index, range(source.views[index].camera.length)).pixels


def found_in(reader: Reader) -> list[View | Flaw]:
    """What a scan finds: every camera of every recording, and flaws."""
    findings = (finding for unit in reader.units() for finding in reader.scan(unit))
    return [one for finding in findings for one in parts_of(finding)]


def parts_of(finding: Recording | Flaw) -> Sequence[View | Flaw]:
    """Every camera of a recording; a flaw alone."""
    return [finding] if isinstance(finding, Flaw) else views_of([finding])


def frames_at(reader: Reader, view: View, steps: range) -> Frames:
    """Some frames of a view, as a source reads them: errors say where."""
    recording = replace(view.recording, cameras=(view.camera,))
    return LogSource(reader, [recording]).frames(0, steps)
