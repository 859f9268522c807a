"""Clips read per second from generated logs, and how many a training step of the demo takes.

Run: python bench/data_loading.py [--workers 2]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from worldmodel.clip import Clip
from worldmodel.commands.options import parse
from worldmodel.data.clips.loading import training_loader
from worldmodel.data.clips.windows import Windows, WindowShape
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.data.opening import open_source
from worldmodel.data.source import Source
from worldmodel.report.table import Table
from worldmodel.rollout import unroll
from worldmodel.training.loss import training_loss
from worldmodel.training.train import TrainConfig

EPISODES, TIME, SIZE = 200, 31, 64
SHAPE = WindowShape(length=12, image_size=SIZE)
BATCH = 16
SECONDS = 5.0
DISK = 2**30


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORLDMODEL_CACHE"] = f"{folder}/cache"
        logs = Path(folder, "logs")
        write_logs(logs)
        source = open_source([str(logs)])
        rates = {"mp4 decoded": steady_rate(source, workers, 0, 100)}
        fill(source)
        rates["from the cache on disk"] = steady_rate(source, workers, DISK, 1000)
        rates["from the cache on disk, no workers"] = steady_rate(source, 0, DISK, 1000)
        rates["taken by training steps of the demo's model"] = training_rate(source)
    slowest = min(rates.values())
    rows = [
        {"clips of 12 frames, 64x64": name, "per second": round(rate), "ratio": rate / slowest}
        for name, rate in rates.items()
    ]
    print(Table.of(rows).markdown(), end="")


def write_logs(folder: Path) -> None:
    """Episodes of moving squares on noise, as mp4 in RoboNet files."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(100, 140, (SIZE, SIZE, 3), np.uint8)
    frames = np.repeat(noise[None], TIME, axis=0)
    for t in range(TIME):
        frames[t, 8:20, t : t + 12] = (230, 20, 30)
        frames[t, 30:44, 40 - t : 54 - t] = (20, 40, 220)
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


def fill(source: Source) -> None:
    """Read each episode once, so that the cache on disk has all."""
    windows = Windows(source, SHAPE, cache_bytes=0, disk_bytes=DISK, hop=TIME)
    for index in range(len(windows)):
        windows[index]


def steady_rate(source: Source, workers: int, disk: int, batches: int) -> float:
    """Clips per second after the workers have started; nothing is kept in memory."""
    windows = Windows(source, SHAPE, cache_bytes=0, disk_bytes=disk)
    warm_up = 8 * max(1, workers)
    loader = training_loader(windows, BATCH, seed=0, stop=warm_up + batches, workers=workers)
    times = [time.perf_counter() for _ in loader]
    return batches * BATCH / (times[-1] - times[-1 - batches])


def training_rate(source: Source) -> float:
    """Clips per second that forward, backward and update of the demo's model take."""
    given = ["--config", "tabletop-predrnn", "--data.path", "unused", "--output", "unused"]
    config = parse(TrainConfig, "train", given)
    windows = Windows(source, SHAPE)
    clip: Clip = next(iter(training_loader(windows, BATCH, seed=0, stop=1)))
    model = config.model.build((3, SIZE, SIZE), clip.actions.shape[2]).train()
    optimizer = torch.optim.Adam(model.parameters())
    mask = torch.ones(BATCH, SHAPE.length - 1, dtype=torch.bool)
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < SECONDS:
        with torch.autocast("cpu", torch.bfloat16):
            predictions, terms = unroll(model, clip, mask)
            loss = training_loss(predictions, clip, terms, 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        count += 1
    return count * BATCH / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
