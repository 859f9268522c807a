"""Short ways to read recordings in tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from worldmodel.data.opening import open_source
from worldmodel.data.source import EpisodeSource


def opened(path: Path, camera: int | str = 0, action_width: int | None = None) -> EpisodeSource:
    """The recordings of a folder, all of which must be good."""
    return open_source([str(path)], camera=camera, strict=True, action_width=action_width)


def frames_of(source: EpisodeSource, index: int) -> np.ndarray:
    """All frames of an episode, uint8 (T, H, W, C)."""
    return source.frames(index, range(source.views[index].length)).pixels
