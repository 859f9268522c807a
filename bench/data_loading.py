"""Clips read per second from generated logs, with and without the episode cache.

Run: python bench/data_loading.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from worldmodel.data.loading import training_loader
from worldmodel.data.robonet import RoboNet, write_episode
from worldmodel.data.windows import CACHE_BYTES, Windows, WindowShape

EPISODES, TIME, SIZE = 100, 31, 64
BATCH, STEPS = 16, 30


def write_logs(folder: Path) -> float:
    """Write episodes of moving squares; returns frames written per second."""
    frames = np.full((TIME, SIZE, SIZE, 3), (120, 130, 140), np.uint8)
    for t in range(TIME):
        frames[t, 8:20, t : t + 12] = (230, 20, 30)
        frames[t, 30:44, 40 - t : 54 - t] = (20, 40, 220)
    begin = time.perf_counter()
    for index in range(EPISODES):
        write_episode(
            folder / f"{index:04}.hdf5",
            [frames],
            np.zeros((TIME - 1, 5)),
            np.zeros((TIME, 5)),
            low_bound=np.zeros(5),
            high_bound=np.ones(5),
            metadata={"laboratory": "bench"},
        )
    return EPISODES * TIME / (time.perf_counter() - begin)


def clips_per_second(source: RoboNet, cache_bytes: int, workers: int) -> float:
    """Steady rate, after workers have started and met most episodes."""
    windows = Windows(source, WindowShape(length=12, image_size=SIZE), cache_bytes=cache_bytes)
    warm_up = 4 * EPISODES * max(1, workers) // BATCH if cache_bytes else 2
    loader = training_loader(windows, BATCH, seed=0, stop=warm_up + STEPS, workers=workers)
    times = [time.perf_counter() for _ in loader]
    return STEPS * BATCH / (times[-1] - times[-1 - STEPS])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(f"writing: {write_logs(Path(folder)):.0f} frames/s")
        source = RoboNet(folder)
        plain = clips_per_second(source, cache_bytes=0, workers=0)
        for name, cache_bytes, workers in (
            ("no cache, 0 workers", 0, 0),
            ("cache, 0 workers", CACHE_BYTES, 0),
            ("no cache, 2 workers", 0, 2),
            ("cache, 2 workers", CACHE_BYTES, 2),
        ):
            rate = clips_per_second(source, cache_bytes, workers)
            print(f"{name}: {rate:.0f} clips/s, {rate / plain:.1f}x")


if __name__ == "__main__":
    main()
