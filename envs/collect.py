"""Robot logs for training: seeded exploration in several domains, one RoboNet file each."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, final

import numpy as np

from worldmodel.data.formats.robots.robonet.reader import SUFFIX
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.envs.expert import expert_policy
from worldmodel.envs.goal_env import GoalEnv, Proprioceptive
from worldmodel.envs.suite import SUITES, Policy, Size, Suite
from worldmodel.errors import InputError, check_at_least
from worldmodel.output_folder import OutputFolder
from worldmodel.registry import find_name
from worldmodel.report.progress import tracked

_FREE = ("output", "recordings", "workers")
"""Settings that may change when a collection goes on."""


@final
@dataclass(frozen=True)
class CollectConfig:
    """What to record and where.

    Attributes:
        output: Folder of the recordings; made if there is none.
        suite: Name of the family of tasks.
        task: Name of the task; its options decide the action space.
        domains: Names; recording i is made in number i modulo their count, so one that is named
            twice is recorded in twice as often. All of the suite's if left out.
        options: Of the task, by name.
        recordings: How many.
        frames: Per recording, one more than actions.
        policies: Share of each policy in the recordings, by name; the suite's own, or `expert`,
            the scripted one. What the suite recommends if left out.
        size: Height and width of frames in pixels, or the two.
        seed: Of everything random, together with the number of the recording.
        workers: Processes; 1 records in this one.

    Raises:
        InputError: A number is too small, or there is no such suite, task, domain or policy.
    """

    output: Path
    suite: str = "tabletop"
    task: str = "push"
    domains: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    recordings: int = 1000
    frames: int = 25
    policies: dict[str, float] = field(default_factory=dict)
    size: Size = 64
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        check_at_least(1, self, "recordings", "workers")
        check_at_least(2, self, "frames")
        check_at_least(0, self, "seed")
        suite = SUITES[self.suite]
        suite.task(self.task)
        _ = self.places
        known = _policies(suite)
        for name, share in self.shares.items():
            find_name(f"policy of {suite.name}", name, known)
            if not 0 <= share < math.inf:
                raise InputError(f"policies.{name}: expected a share of at least 0, got {share}")
        if not sum(self.shares.values()) > 0:
            raise InputError("policies: expected a share above 0 for one at least")

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of each policy."""
        return self.policies or SUITES[self.suite].collection or {"expert": 1.0}

    @property
    def places(self) -> tuple[str, ...]:
        """The domains that are recorded in."""
        suite = SUITES[self.suite]
        return tuple(map(suite.domain, self.domains)) or suite.domains


@final
@dataclass(frozen=True)
class Trajectory:
    """What was lived in one recording.

    Attributes:
        frames: Pictures, uint8. Shape (T, H, W, 3).
        actions: float32. Shape (T-1, A).
        states: The robot's. Shape (T, S); S = 0 where it does not know them.
        policy: What chose the actions.
    """

    frames: np.ndarray
    actions: np.ndarray
    states: np.ndarray
    policy: str


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
    folder = OutputFolder.checked(config.output, "collect", config, free=_FREE)
    _environment(config, config.places[0])  # before anything is written
    folder.begin()
    missing = [i for i in range(config.recordings) if not recording_path(config, i).exists()]
    start = time.perf_counter()
    with _mapping(min(config.workers, len(missing))) as mapping:
        finished = mapping(partial(_write, config), missing)
        for _ in tracked(finished, "collecting", len(missing)):
            pass
    seconds = time.perf_counter() - start
    return Collected(len(missing), config.recordings - len(missing), seconds)


def recording_path(config: CollectConfig, index: int) -> Path:
    """Where recording `index` is."""
    return config.output / f"{_domain(config, index)}_{index:06d}{SUFFIX}"


def record(config: CollectConfig, index: int) -> Trajectory:
    """Live through recording `index`; a function of the configuration and the index alone."""
    random = np.random.default_rng((config.seed, index))
    env = _environment(config, _domain(config, index))
    env.reset(seed=int(np.random.SeedSequence((config.seed, index)).generate_state(1)[0]))
    policy = _drawn(config.shares, random.random())
    explorer = _policies(SUITES[config.suite])[policy](env, random)
    actions = [next(explorer)]  # first: it may arrange the scene
    frames, states = [env.render()], [_state(env)]
    for remaining in reversed(range(config.frames - 1)):
        env.advance(actions[-1])
        frames.append(env.render())
        states.append(_state(env))
        if remaining:
            actions.append(next(explorer))
    return Trajectory(
        np.stack(frames), np.stack(actions).astype(np.float32), np.stack(states), policy
    )


def _domain(config: CollectConfig, index: int) -> str:
    return config.places[index % len(config.places)]


def _policies(suite: Suite) -> Mapping[str, Policy]:
    return {**suite.policies, "expert": expert_policy}


def _drawn(shares: Mapping[str, float], draw: float) -> str:
    """The policy in whose share of [0, 1) the draw falls."""
    names, weights = list(shares), np.array(list(shares.values()))
    return names[int(np.searchsorted(weights.cumsum() / weights.sum(), draw, side="right"))]


def _state(env: GoalEnv) -> np.ndarray:
    return env.robot_state() if isinstance(env, Proprioceptive) else np.zeros(0)


def _environment(config: CollectConfig, domain: str) -> GoalEnv:
    """One simulation per domain and process."""
    options = tuple(sorted(config.options.items()))
    return _kept_environment(config.suite, config.task, domain, config.size, options)


@cache
def _kept_environment(
    suite: str, task: str, domain: str, size: Size, options: tuple[tuple[str, Any], ...]
) -> GoalEnv:
    return SUITES[suite].make(task, domain, size, **dict(options))


def _write(config: CollectConfig, index: int) -> None:
    """Record one; as in RoboNet, x, y, z of the state are scaled to [0, 1]."""
    trajectory = record(config, index)
    domain = _domain(config, index)
    env = _environment(config, domain)
    low = high = np.zeros(0)
    states = trajectory.states.copy()
    if isinstance(env, Proprioceptive):
        low, high = env.state_low, env.state_high
        states[:, :3] = ((states - low) / (high - low))[:, :3]
    write_episode(
        recording_path(config, index),
        [trajectory.frames],
        trajectory.actions,
        states,
        action_names=env.action_names,
        low_bound=low,
        high_bound=high,
        metadata={
            "robot": domain,
            "laboratory": domain,
            "camera_configuration": domain,
            "policy_desc": trajectory.policy,
            "action_space": ",".join(env.action_names),
            "fps": env.metadata.get("render_fps", 0),
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
