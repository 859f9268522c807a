"""Robot logs for training: seeded exploration in several laboratories, one RoboNet file each."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import final

import numpy as np
from rich.progress import track

from worldmodel.data.formats.robots.robonet.reader import SUFFIX
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.envs.exploration import random_scene, seek, wander
from worldmodel.envs.laboratory import LABORATORIES, find_laboratory
from worldmodel.envs.tabletop import ACTION_NAMES, HIGHEST, LOWEST, Tabletop
from worldmodel.errors import InputError
from worldmodel.output_folder import OutputFolder

_FREE = ("output", "episodes", "workers")
"""Settings that may change when a collection goes on."""


@final
@dataclass(frozen=True)
class CollectConfig:
    """What to record and where.

    Attributes:
        output: Folder of the recordings.
        episodes: Number of recordings.
        frames: Per recording, one more than actions.
        laboratories: Names; episode i is recorded in number i modulo their count.
        planar: Actions dx, dy with the gripper closed just above the table, else all five.
        contact: Fraction of recordings in which the hand seeks the object, in [0, 1].
        image_size: Height and width of frames, in pixels.
        seed: Of everything random, together with the number of the episode.
        workers: Processes; 1 records in this one.
    """

    output: Path
    episodes: int = 1000
    frames: int = 25
    laboratories: tuple[str, ...] = tuple(laboratory.name for laboratory in LABORATORIES)
    planar: bool = True
    contact: float = 0.7
    image_size: int = 64
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        for name, least in (("episodes", 1), ("frames", 2), ("workers", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not 0 <= self.contact <= 1:
            raise InputError(f"contact: expected a fraction in [0, 1], got {self.contact}")
        if not self.laboratories:
            raise InputError("laboratories: expected at least one name, got none")
        for name in self.laboratories:
            find_laboratory(name)


@final
@dataclass(frozen=True)
class Recording:
    """One episode as it was lived.

    Attributes:
        frames: Pictures, uint8. Shape (T, H, W, 3).
        actions: In [-1, 1], float32. Shape (T-1, A).
        hands: x, y, z in metres, yaw in radians and gripper, 1 closed. Shape (T, 5).
        objects: Positions in metres. Shape (T, 3).
        contact: Whether the hand sought the object.
    """

    frames: np.ndarray
    actions: np.ndarray
    hands: np.ndarray
    objects: np.ndarray
    contact: bool


@final
@dataclass(frozen=True)
class Collected:
    """What a collection did: recordings written, recordings already there, and seconds taken."""

    written: int
    kept: int
    seconds: float


def collect(config: CollectConfig) -> Collected:
    """Record what is missing in the folder; stopped at any time, it continues where it was.

    Raises:
        InputError: The folder holds recordings made with other settings, or something else.
    """
    OutputFolder.claim(config.output, "collect", config, _FREE)
    missing = [i for i in range(config.episodes) if not episode_path(config, i).exists()]
    start = time.perf_counter()
    with _mapping(min(config.workers, len(missing))) as mapping:
        finished = mapping(partial(_write, config), missing)
        for _ in track(finished, "collecting", total=len(missing), disable=not missing):
            pass
    seconds = time.perf_counter() - start
    return Collected(len(missing), config.episodes - len(missing), seconds)


def episode_path(config: CollectConfig, index: int) -> Path:
    """Where episode `index` is recorded."""
    laboratory = config.laboratories[index % len(config.laboratories)]
    return config.output / f"{laboratory}_{index:06d}{SUFFIX}"


def record(config: CollectConfig, index: int) -> Recording:
    """Live through episode `index`; a function of the configuration and the index alone."""
    random = np.random.default_rng((config.seed, index))
    tabletop = _tabletop(config.laboratories[index % len(config.laboratories)], config.image_size)
    contact = bool(random.random() < config.contact)
    tabletop.reset(random_scene(tabletop, config.planar, random))
    explorer = (seek if contact else wander)(tabletop, random)
    frames, hands, objects = [tabletop.render()], [_hand(tabletop)], [tabletop.object]
    actions = []
    for intended in islice(explorer, config.frames - 1):
        action = intended[: _width(config)]
        tabletop.control(action)
        actions.append(action)
        frames.append(tabletop.render())
        hands.append(_hand(tabletop))
        objects.append(tabletop.object)
    return Recording(
        np.stack(frames),
        np.stack(actions).astype(np.float32),
        np.stack(hands),
        np.stack(objects),
        contact,
    )


def _width(config: CollectConfig) -> int:
    return 2 if config.planar else len(ACTION_NAMES)


def _hand(tabletop: Tabletop) -> np.ndarray:
    return np.array([*tabletop.hand, tabletop.yaw, float(tabletop.closed)])


@cache
def _tabletop(laboratory: str, image_size: int) -> Tabletop:
    """One simulation per laboratory and process."""
    return Tabletop(find_laboratory(laboratory), image_size)


def _write(config: CollectConfig, index: int) -> None:
    """Record one episode; as in RoboNet, x, y, z of the state are scaled to [0, 1]."""
    recording = record(config, index)
    low, high = np.append(LOWEST, 0.0), np.append(HIGHEST, 1.0)
    states = recording.hands.copy()
    states[:, :3] = ((states - low) / (high - low))[:, :3]
    laboratory = config.laboratories[index % len(config.laboratories)]
    write_episode(
        episode_path(config, index),
        [recording.frames],
        recording.actions,
        states,
        action_names=ACTION_NAMES[: _width(config)],
        low_bound=low,
        high_bound=high,
        metadata={
            "robot": laboratory,
            "laboratory": laboratory,
            "camera_configuration": laboratory,
            "policy_desc": "seek" if recording.contact else "wander",
            "action_space": "x,y" if config.planar else "x,y,z,yaw,gripper",
        },
    )


@contextmanager
def _mapping(workers: int) -> Iterator[Callable[..., Iterable[None]]]:
    """A `map` in this process or over spawned ones, which leave an interrupt to this process."""
    if workers <= 1:
        yield map
        return
    ignore = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=ignore)
    try:
        yield partial(pool.map, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)
