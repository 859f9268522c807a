"""The planning benchmark: a model beside the simulator's foresight, chance, and doing nothing."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from worldmodel.envs.laboratory import find_laboratory
from worldmodel.envs.oracle import SimulatorForesight
from worldmodel.envs.play import Outcome, play
from worldmodel.envs.scores import Benchmark, Contestant, EpisodeRecord
from worldmodel.envs.tasks import TabletopTask, push, reach
from worldmodel.errors import InputError, check_at_least
from worldmodel.model import WorldModel
from worldmodel.planners.agent import Foresight, ModelForesight, VisualMPC
from worldmodel.planners.baselines import NullPlanner, RandomPlanner
from worldmodel.planners.cem import CEM, CEMConfig
from worldmodel.planners.costs import ActionPenalty, Cost, GoalImage
from worldmodel.planners.planner import Bounds, Planner
from worldmodel.report.film import write_film

TaskName = Literal["reach", "push"]

RECORDS = "benchmark.json"
"""File of the finished episodes in the benchmark's folder."""

_TASKS = {"reach": reach, "push": push}
_ATTEMPTS = 100
_IMAGE_SIZE = 64


def _planner() -> CEMConfig:
    return CEMConfig(horizon=8, chunk=2, candidates=40, iterations=3, elites=6, initial_std=0.8)


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class BenchmarkConfig:
    """What is played, and how every contestant plans.

    All contestants meet the same starts and goals, in every laboratory, and act for the same
    number of steps; model and oracle plan with the same budget.

    Attributes:
        task: What is to be brought to its place: the hand (reach) or the object (push).
        laboratories: Where; each plays all episodes.
        contestants: `model`, the learned one; `oracle`, the simulator in its place; `random`
            actions; `null`, no motion.
        planar: Actions are dx, dy; otherwise dx, dy, dz, dyaw, gripper.
        episodes: Per laboratory.
        steps: Actions per episode.
        seed: Of everything random, together with the number of the episode.
        films: Episodes per laboratory that are filmed.
        planner: How model and oracle search.
        replan_every: Actions executed of each plan, best a multiple of the planner's chunk.
        scales: Of the goal image's cost, in pixels; see `GoalImage`.
        running: Weight of the goal image's cost before the last step; see `GoalImage`.
        action_penalty: Weight of the sum of squared actions.
        bfloat16: Imagine in bfloat16 autocast.
    """

    task: TaskName = "push"
    laboratories: tuple[str, ...] = ("ash",)
    contestants: tuple[Contestant, ...] = ("model", "oracle", "random", "null")
    planar: bool = True
    episodes: int = 20
    steps: int = 28
    seed: int = 0
    films: int = 2
    planner: CEMConfig = field(default_factory=_planner)
    replan_every: int = 2
    scales: tuple[int, ...] = (1, 4, 16)
    running: float = 0.0
    action_penalty: float = 0.0
    bfloat16: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "episodes", "steps", "replan_every")
        check_at_least(0, self, "seed", "films")
        for name in self.laboratories:
            find_laboratory(name)


def benchmark(config: BenchmarkConfig, folder: Path, model: WorldModel | None = None) -> Benchmark:
    """Play all episodes; stopped at any time, it continues where it was.

    Args:
        config: What to play.
        folder: Of `benchmark.json`, rewritten after every episode, and of the films.
        model: The learned model; needed if `model` is a contestant.

    Raises:
        InputError: The model is missing or does not fit the pictures or actions, or the folder
            holds a benchmark with other settings or another model.
    """
    if "model" in config.contestants and model is None:
        raise InputError("benchmark: the contestant 'model' needs a trained model, got none")
    log = _Log(folder / RECORDS, _settings(config, model))
    for laboratory in config.laboratories:
        done = {record.episode for record in log.records if record.laboratory == laboratory}
        missing = [episode for episode in range(config.episodes) if episode not in done]
        with closing(_task(config, laboratory, model)) as task:
            agents = _agents(config, task, model)
            for episode in track(missing, f"{config.task} in {laboratory}", disable=not missing):
                log.add(_compare(config, task, agents, episode, folder))
    return Benchmark(tuple(log.records))


@final
class _Log:
    """Finished episodes, on disk as soon as they are added."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path, self._settings = path, settings
        self.records: list[EpisodeRecord] = []
        if path.exists():
            self.records = _read(path, settings)
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, records: list[EpisodeRecord]) -> None:
        """Append and rewrite the file; a reader never sees half of it."""
        self.records += records
        written = {"settings": self._settings, "records": [asdict(r) for r in self.records]}
        temporary = self._path.with_suffix(".partial")
        temporary.write_text(json.dumps(written, indent=1) + "\n")
        os.replace(temporary, self._path)


def _read(path: Path, settings: dict[str, Any]) -> list[EpisodeRecord]:
    try:
        written = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: expected the JSON of a benchmark, got {error}") from error
    if written["settings"] != settings:
        differing = [k for k, v in settings.items() if written["settings"].get(k) != v]
        raise InputError(
            f"{path}: holds a benchmark with another {' and '.join(differing)}; expected the "
            "same settings to continue it, or an empty folder"
        )
    return [
        EpisodeRecord(**record | {"outcome": Outcome(**record["outcome"])})
        for record in written["records"]
    ]


def _settings(config: BenchmarkConfig, model: WorldModel | None) -> dict[str, Any]:
    """All that decides the outcome, as JSON holds it; the model by the hash of its weights."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items() if model else ():
        digest.update(name.encode() + value.float().cpu().numpy().tobytes())
    return json.loads(json.dumps(asdict(config) | {"model": digest.hexdigest()}))


def _task(config: BenchmarkConfig, laboratory: str, model: WorldModel | None) -> TabletopTask:
    size = model.frame_shape[-1] if model else _IMAGE_SIZE
    return _TASKS[config.task](laboratory=laboratory, planar=config.planar, image_size=size)


def _agents(
    config: BenchmarkConfig, task: TabletopTask, model: WorldModel | None
) -> dict[Contestant, VisualMPC]:
    cem, horizon = CEM(config.planner), config.planner.horizon
    simulator = SimulatorForesight(task)
    pairs: dict[Contestant, tuple[Foresight, Planner]] = {
        "oracle": (simulator, cem),
        "random": (simulator, RandomPlanner(horizon)),
        "null": (simulator, NullPlanner(horizon)),
    }
    if model:
        pairs["model"] = ModelForesight(model, bfloat16=config.bfloat16), cem
    ones = torch.ones(len(task.action_names))
    bounds = Bounds(-ones, ones)
    return {
        name: VisualMPC(*pairs[name], bounds, config.replan_every) for name in config.contestants
    }


def _compare(
    config: BenchmarkConfig,
    task: TabletopTask,
    agents: dict[Contestant, VisualMPC],
    episode: int,
    folder: Path,
) -> list[EpisodeRecord]:
    """Every contestant plays the same episode."""
    seed, skipped = _unsolved_start(task, config.seed, episode)
    records = []
    for contestant, agent in agents.items():
        generator = torch.Generator().manual_seed(seed)
        outcome, film = play(
            task, agent, partial(_cost, config), generator, seed=seed, steps=config.steps
        )
        laboratory = task.tabletop.laboratory.name
        records.append(EpisodeRecord(laboratory, episode, contestant, seed, skipped, outcome))
        if episode < config.films:
            path = folder / f"{laboratory}-{episode}-{contestant}.gif"
            write_film(path, film.side_by_side(), scale=1)
    return records


def _cost(config: BenchmarkConfig, goal: Tensor) -> Cost:
    image = GoalImage(goal, config.scales, config.running)
    return image + config.action_penalty * ActionPenalty()


def _unsolved_start(task: TabletopTask, seed: int, episode: int) -> tuple[int, int]:
    """The first seed of this episode whose start does not meet the goal, and how many did."""
    for attempt in range(_ATTEMPTS):
        draw = int(np.random.SeedSequence((seed, episode, attempt)).generate_state(1)[0])
        _, info = task.reset(seed=draw)
        if not info["success"]:
            return draw, attempt
    raise InputError(f"episode {episode}: every one of {_ATTEMPTS} starts met its goal already")
