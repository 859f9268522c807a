"""The planning benchmark: a model beside the simulator's foresight, chance, and doing nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from worldmodel.envs.expert import ExpertAgent
from worldmodel.envs.goal_env import Expert, GoalEnv
from worldmodel.envs.oracle import SimulatorForesight
from worldmodel.envs.play import Outcome, play
from worldmodel.envs.scores import Benchmark, EpisodeRecord
from worldmodel.envs.suite import SUITES, Size, Suite
from worldmodel.errors import InputError, check_at_least
from worldmodel.frames import as_frames
from worldmodel.model import WorldModel
from worldmodel.output_folder import OutputFolder
from worldmodel.planners.agent import Agent, Aim, VisualMPC
from worldmodel.planners.baselines import NullConfig, RandomConfig
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.space import action_space_of
from worldmodel.registry import find_name
from worldmodel.report.film import write_film
from worldmodel.report.progress import tracked
from worldmodel.settings import plain
from worldmodel.whole_file import whole_file

CONTESTANTS = ("model", "oracle", "expert", "random", "null")
"""The learned model; the simulator in its place; a scripted expert, who sees the simulator; random
actions; no motion."""

RECORDS = "episodes.json"
"""File of the finished episodes in the benchmark's folder."""

_ATTEMPTS = 100


@dataclass(frozen=True)  # not final: `worldmodel plan` adds which model plays, and where to write
class BenchmarkConfig:
    """What is played, and how every contestant plans.

    All contestants meet the same starts and goals, in every domain, and act for the same number of
    steps; model and oracle plan with the same budget.

    Attributes:
        suite: Name of the family of tasks.
        task: Name of the task.
        domains: Where; each plays all episodes. The suite's first if left out.
        options: Of the task, by name.
        contestants: `model`, the learned one; `oracle`, the simulator in its place; `expert`, a
            scripted one who sees the simulator; `random` actions; `null`, no motion.
        episodes: Per domain.
        steps: Actions per episode; as many as the task is registered with if left out.
        seed: Of everything random, together with the number of the episode.
        films: Episodes per domain that are filmed.
        effort: How much is spent on planning: "fast", "balanced" or "best", as the task has them.
        planning: How model and oracle plan; what the task has for this effort if left out.

    Raises:
        InputError: An option is out of range, or there is no such suite, task, domain or
            contestant.
    """

    suite: str = "tabletop"
    task: str = "push"
    domains: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    contestants: tuple[str, ...] = ("model", "oracle", "random", "null")
    episodes: int = 20
    steps: int | None = None
    seed: int = 0
    films: int = 2
    effort: str = "balanced"
    planning: PlanningConfig | None = None

    def __post_init__(self) -> None:
        check_at_least(1, self, "episodes", *([] if self.steps is None else ["steps"]))
        check_at_least(0, self, "seed", "films")
        self.world.task(self.task).at(self.effort)
        _ = self.places, self.players

    @property
    def world(self) -> Suite:
        """The suite."""
        return SUITES[self.suite]

    @property
    def game(self) -> str:
        """The task's name."""
        return find_name(f"task of {self.suite}", self.task, self.world.tasks)

    @property
    def plan(self) -> PlanningConfig:
        """How model and oracle plan."""
        return self.planning or self.world.task(self.task).at(self.effort)

    @property
    def length(self) -> int:
        """Actions per episode."""
        return self.steps or self.world.steps(self.task)

    @property
    def places(self) -> tuple[str, ...]:
        """The domains that are played in."""
        return tuple(map(self.world.domain, self.domains)) or self.world.domains[:1]

    @property
    def players(self) -> tuple[str, ...]:
        """The contestants."""
        return tuple(find_name("contestant", name, CONTESTANTS) for name in self.contestants)


def benchmark(
    config: BenchmarkConfig,
    folder: Path,
    model: WorldModel | None = None,
    action_names: tuple[str, ...] | None = None,
) -> Benchmark:
    """Play all episodes; stopped at any time, it continues where it was.

    All that can be refused is refused before anything is written.

    Args:
        config: What to play; with more episodes than before, those that are missing are played.
        folder: Of the finished episodes, rewritten after each, and of the films.
        model: The learned model; needed if `model` is a contestant.
        action_names: What the model was trained with; not checked if left out.

    Raises:
        InputError: The model is missing or does not fit the pictures or actions, or the folder
            holds a benchmark with other settings or another model.
    """
    if "model" in config.players and model is None:
        raise InputError("benchmark: the contestant 'model' needs a trained model, got none")
    claim = OutputFolder.checked(folder, "plan", _settings(config, model), free=("episodes",))
    with closing(_environment(config, config.places[0], model)) as env:
        _check_actions(env, action_names)
        agents = _agents(config, env, model)
        picture, _ = env.reset(seed=0)
        _check_colors(picture, model)
        for name, agent in agents.items():
            with _told_of(name):
                agent.check(as_frames(env.goal_image), as_frames(picture))
    claim.begin()
    log = _Log(folder / RECORDS)
    for domain in config.places:
        done = {record.episode for record in log.records if record.domain == domain}
        missing = [episode for episode in range(config.episodes) if episode not in done]
        with closing(_environment(config, domain, model)) as env:
            agents = _agents(config, env, model)
            for episode in tracked(missing, f"{config.game} in {domain}"):
                log.add(_compare(config, env, agents, episode, folder))
    played = tuple(record for record in log.records if record.episode < config.episodes)
    return Benchmark(played, config.world.unit)


@final
class _Log:
    """Finished episodes, on disk as soon as they are added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records = _read(path) if path.exists() else []

    def add(self, records: list[EpisodeRecord]) -> None:
        """Append and rewrite the file; a reader never sees half of it."""
        self.records += records
        with whole_file(self._path) as unfinished:
            written = [asdict(record) for record in self.records]
            unfinished.write_text(json.dumps(written, indent=1) + "\n")


def _read(path: Path) -> list[EpisodeRecord]:
    try:
        return [
            EpisodeRecord(**record | {"outcome": Outcome(**record["outcome"])})
            for record in json.loads(path.read_text())
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: expected the JSON of finished episodes, got {error}") from error


def _settings(config: BenchmarkConfig, model: WorldModel | None) -> dict[str, Any]:
    """All that decides the outcome; the model by the hash of its weights."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items() if model else ():
        digest.update(name.encode() + value.float().cpu().numpy().tobytes())
    return {
        "suite": config.world.name,
        "task": config.game,
        "domains": config.places,
        "options": config.options,
        "contestants": config.players,
        "episodes": config.episodes,
        "steps": config.length,
        "seed": config.seed,
        "films": config.films,
        "planning": plain(config.plan),
        "model": digest.hexdigest(),
    }


def _environment(config: BenchmarkConfig, domain: str, model: WorldModel | None) -> GoalEnv:
    size: Size = (model.frame_shape[1], model.frame_shape[2]) if model else 64
    return config.world.make(config.task, domain, size, **config.options)


def _check_actions(env: GoalEnv, names: tuple[str, ...] | None) -> None:
    if names is not None and names != env.action_names:
        raise InputError(
            f"actions: this model was trained with {', '.join(names) or 'none'}, here they are "
            f"{', '.join(env.action_names)}"
        )


def _check_colors(picture: np.ndarray, model: WorldModel | None) -> None:
    if model is not None and model.frame_shape[0] != picture.shape[-1]:
        raise InputError(
            f"model: it was trained on pictures of {model.frame_shape[0]} channels, "
            f"those of the task have {picture.shape[-1]}"
        )


def _model_agent(plan: PlanningConfig, env: GoalEnv, model: WorldModel | None) -> Agent:
    assert model is not None
    return plan.agent(plan.foresight(model), action_space_of(env.action_space))


def _oracle(plan: PlanningConfig, env: GoalEnv, _: WorldModel | None) -> Agent:
    return plan.agent(SimulatorForesight(env), action_space_of(env.action_space))


def _expert(plan: PlanningConfig, env: GoalEnv, _: WorldModel | None) -> Agent:
    if not isinstance(env, Expert):
        raise InputError(f"expected an expert_action, {type(env).__name__} has none")
    return ExpertAgent(env)


def _baseline(
    kind: type[RandomConfig | NullConfig],
    plan: PlanningConfig,
    env: GoalEnv,
    _: WorldModel | None,
) -> Agent:
    planner = kind(plan.planner.build().horizon).build()
    return VisualMPC(
        SimulatorForesight(env),
        planner,
        env.action_space,
        replan_every=min(plan.replan_every, planner.horizon),
        action_repeat=plan.action_repeat,
        aim=_anything,
    )


def _anything(scene: Scene) -> Aim:
    """Baselines look at no cost."""
    return Aim(ActionPenalty())


_MAKERS: Mapping[str, Callable[[PlanningConfig, GoalEnv, WorldModel | None], Agent]] = {
    "model": _model_agent,
    "oracle": _oracle,
    "expert": _expert,
    "random": partial(_baseline, RandomConfig),
    "null": partial(_baseline, NullConfig),
}


def _agents(config: BenchmarkConfig, env: GoalEnv, model: WorldModel | None) -> Mapping[str, Agent]:
    agents = {}
    for name in config.players:
        with _told_of(name):
            agents[name] = _MAKERS[name](config.plan, env, model)
    return agents


@contextmanager
def _told_of(contestant: str) -> Iterator[None]:
    """What is refused inside names the contestant, who may be left out."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"contestant {contestant!r}: {error}; `contestants` says who plays"
        ) from error


def _compare(
    config: BenchmarkConfig,
    env: GoalEnv,
    agents: Mapping[str, Agent],
    episode: int,
    folder: Path,
) -> list[EpisodeRecord]:
    """Every contestant plays the same episode."""
    seed, skipped = _unsolved_start(env, config.seed, episode)
    records = []
    for contestant, agent in agents.items():
        generator = torch.Generator().manual_seed(seed)
        outcome, film = play(env, agent, generator, seed=seed, steps=config.length)
        records.append(EpisodeRecord(env.domain, episode, contestant, seed, skipped, outcome))
        if episode < config.films:
            path = folder / f"{env.domain}-{episode}-{contestant}.gif"
            write_film(path, film.side_by_side(), scale=1)
    return records


def _unsolved_start(env: GoalEnv, seed: int, episode: int) -> tuple[int, int]:
    """The first seed of this episode whose start does not meet the goal, and how many did."""
    for attempt in range(_ATTEMPTS):
        draw = int(np.random.SeedSequence((seed, episode, attempt)).generate_state(1)[0])
        _, info = env.reset(seed=draw)
        if not info["success"]:
            return draw, attempt
    raise InputError(f"episode {episode}: every one of {_ATTEMPTS} starts met its goal already")
