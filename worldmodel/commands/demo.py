"""`worldmodel demo`: from robot logs to planned motion, on one page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import torch

from worldmodel.checkpoint import Checkpoint, load
from worldmodel.commands.evaluate import EvaluateConfig, evaluate_to_folder
from worldmodel.commands.options import parse
from worldmodel.commands.plan import PlanConfig, plan
from worldmodel.data.clips.config import held_out, open_data
from worldmodel.data.clips.splits import load_split
from worldmodel.data.opening import open_source
from worldmodel.diagnostics.stmc import Features, latent_features, pixel_features, separation
from worldmodel.envs.collect import CollectConfig, collect
from worldmodel.envs.scores import Benchmark
from worldmodel.errors import check_at_least
from worldmodel.evaluation import Evaluation
from worldmodel.model import WorldModel
from worldmodel.output_folder import OutputFolder
from worldmodel.report.film import beside, write_film
from worldmodel.report.page import Picture, Section, write_page
from worldmodel.report.table import Cell, Table
from worldmodel.training.curriculum import ScheduledSampling
from worldmodel.training.run_folder import RunFolder
from worldmodel.training.train import TrainConfig, train

MODELS = {"predrnn-v2": "tabletop-predrnn", "mode-rnn": "tabletop-mode-rnn"}
"""Names on the page and their shipped configurations."""

TASKS = ("reach", "push")


@final
@dataclass(frozen=True)
class DemoConfig:
    """From robot logs to planned motion.

    Attributes:
        output: Folder of everything; a stopped demo goes on with its first unfinished stage.
        quick: End within two minutes: too little training to plan well, but every station runs.
        seed: Of everything random.
        threads: CPU threads; 0 leaves torch's choice.
    """

    output: str = "runs/demo"
    quick: bool = False
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        check_at_least(0, self, "seed", "threads")


@final
@dataclass(frozen=True)
class _Size:
    """How much of everything.

    Attributes:
        recordings: Robot logs.
        test: Fraction of them to evaluate on.
        steps: Training steps by shipped configuration.
        episodes: Of each task.
        actions: In each episode; None leaves the task's own.
    """

    recordings: int
    test: float
    steps: Mapping[str, int]
    episodes: int
    actions: int | None


_FULL = _Size(1200, 0.05, {"tabletop-predrnn": 2400, "tabletop-mode-rnn": 400}, 10, None)
_QUICK = _Size(48, 0.25, {"tabletop-predrnn": 8, "tabletop-mode-rnn": 8}, 1, 6)


_BATCH, _MOVING_WEIGHT = 4, 5.0
"""Of a short training: it learns most in its minutes from many small steps, and from what moves."""


@final
@dataclass(frozen=True)
class _Trained:
    """One model of the demo and what it scored."""

    name: str
    config: TrainConfig
    checkpoint: Checkpoint
    evaluation: Evaluation
    strips: tuple[Path, ...]

    @property
    def error(self) -> float:
        return self.evaluation.mean("model", "mse_sum")


def run(arguments: Sequence[str]) -> None:
    """Run all stations and print where the page is."""
    config = parse(DemoConfig, "demo", arguments)
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        demo(config)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped; the same command goes on where it was") from None


def demo(config: DemoConfig) -> Path:
    """Collect, train, evaluate, diagnose, plan; return the path of the page.

    Raises:
        InputError: The folder cannot be written, or holds a demo of another size or seed.
    """
    start = time.perf_counter()
    output, size = Path(config.output), _QUICK if config.quick else _FULL
    settings = {"quick": config.quick, "seed": config.seed}
    OutputFolder.claim(output, "demo", settings)
    _say("recording robot logs in four laboratories")
    logs = _collect(config, output / "logs", size)
    trained = [_trained(name, config, logs, output, size) for name in MODELS]
    _say("looking for spatiotemporal mode collapse")
    collapse = _collapse(trained)
    best = min(trained, key=lambda model: model.error)
    played = {task: _plan(task, best, config, output, size) for task in TASKS}
    page = output / "index.html"
    minutes = (time.perf_counter() - start) / 60
    sections = [
        _logs_section(logs, size),
        *(_model_section(model) for model in trained),
        _collapse_section(collapse),
        *(_task_section(task, best, played[task], output) for task in TASKS),
    ]
    write_page(page, "From robot logs to planned motion", sections, f"Took {minutes:.1f} minutes.")
    print(f"the page: {page.resolve()}")
    return page


def _say(what: str) -> None:
    print(f"\n== {what}", flush=True)


def _collect(config: DemoConfig, logs: Path, size: _Size) -> Path:
    shipped = parse(CollectConfig, "collect", ["--config", "tabletop-logs", "--output", str(logs)])
    collect(replace(shipped, recordings=size.recordings, seed=config.seed))
    return logs


def _trained(name: str, demo: DemoConfig, logs: Path, output: Path, size: _Size) -> _Trained:
    _say(f"training {name}")
    folder = output / MODELS[name]
    config = _train_config(name, demo, logs, folder, size)
    run = RunFolder(folder)
    if not run.checkpoint.exists():
        train(config, resume=run.state.exists())
    _say(f"evaluating {name}")
    evaluation = evaluate_to_folder(
        EvaluateConfig(
            model=str(folder),
            data=config.data,
            output=str(folder / "evaluation"),
            split=str(run.split),
            strips=2,
        )
    )
    strips = tuple(sorted((folder / "evaluation").glob("strip-*.png")))
    return _Trained(name, config, load(run.checkpoint), evaluation, strips)


def _train_config(
    name: str, demo: DemoConfig, logs: Path, folder: Path, size: _Size
) -> TrainConfig:
    shipped = parse(
        TrainConfig,
        "train",
        ["--config", MODELS[name], "--data.path", str(logs), "--output", str(folder)],
    )
    steps = size.steps[MODELS[name]]
    return replace(
        shipped,
        data=replace(shipped.data, test=size.test, batch_size=_BATCH),
        optimizer=replace(shipped.optimizer, moving_weight=_MOVING_WEIGHT),
        steps=steps,
        curriculum=ScheduledSampling(rate=2 / steps, stop=steps // 2),
        validate_every=max(steps // 4, 1),
        seed=demo.seed,
    )


def _collapse(trained: Sequence[_Trained]) -> Table:
    """Silhouettes by laboratory: of each model, untrained and trained, and of the pixels."""
    config = trained[0].config
    source = open_data(config.data)
    split = load_split(RunFolder(Path(config.output)).split)
    clips = list(held_out(source, split, "test", config.data))
    context = config.data.context
    rows: list[dict[str, Cell]] = [_row("pixels", "", pixel_features(clips, context))]
    for model in trained:
        trained_model = model.checkpoint.model
        for state, network in (("untrained", _untrained(model)), ("trained", trained_model)):
            rows.append(_row(model.name, state, latent_features(network, clips, context)))
    return Table.of(rows)


def _row(features_of: str, state: str, features: Features) -> dict[str, Cell]:
    found = separation(features)
    return {
        "features of": features_of,
        "state": state,
        "sc_env": found.sc_env,
        "chance": found.chance,
        "clips": found.samples,
    }


def _untrained(model: _Trained) -> WorldModel:
    torch.manual_seed(model.config.seed)
    card = model.checkpoint.card
    return model.config.model.build(card.frame_shape, len(card.action_names)).eval()


def _plan(task: str, best: _Trained, demo: DemoConfig, output: Path, size: _Size) -> Benchmark:
    _say(f"planning {task} with {best.name}")
    config = PlanConfig(
        task=task,
        episodes=size.episodes,
        steps=size.actions,
        seed=demo.seed,
        films=1,
        output=str(output / f"plan-{task}"),
    )
    played = plan(config, best.checkpoint)
    print(Table.of(played.rows()).markdown())
    return played


def _logs_section(logs: Path, size: _Size) -> Section:
    source = open_source([str(logs)])
    films = []
    for domain in source.domains:
        index = next(i for i, v in enumerate(source.views) if v.recording.domain == domain)
        films.append(source.frames(index, range(source.views[index].camera.length)).pixels)
    gif = logs.parent / "laboratories.gif"
    write_film(gif, beside(*films, labels=source.domains), scale=1)
    return Section(
        "Robot logs",
        f"{size.recordings} recordings of seeded exploration, as RoboNet HDF5: "
        "three in ten wander, the others seek the object and push through it.",
        pictures=(Picture(gif.read_bytes(), "One recording of each laboratory"),),
    )


def _model_section(model: _Trained) -> Section:
    pictures = [
        Picture(path.read_bytes(), "Held-out recording: truth, prediction, error")
        for path in model.strips
    ]
    curve = model.strips[0].with_name("mse_sum.png")
    return Section(
        f"Prediction by {model.name}",
        f"{model.config.steps} training steps. Errors on recordings that it was not trained on, "
        "averaged over the predicted steps.",
        Table.of(model.evaluation.records()),
        (*pictures, Picture(curve.read_bytes(), "Squared error by predicted step")),
    )


def _collapse_section(table: Table) -> Section:
    return Section(
        "Spatiotemporal mode collapse",
        "Silhouette coefficient of the latents under the laboratories' labels (sc_env): around 0.5 "
        "where laboratories form clusters of their own, 0 where they collapse into one. Pixels "
        "and untrained models are controls: different backgrounds alone separate laboratories.",
        table,
    )


def _task_section(task: str, best: _Trained, played: Benchmark, output: Path) -> Section:
    films = sorted((output / f"plan-{task}").glob("*.gif"))
    return Section(
        f"Planning: {task}",
        f"{best.name} and the cross-entropy method, on the goal image alone. The oracle plans "
        "with the same budget in the simulator; random and null need no model.",
        Table.of(played.rows()),
        tuple(Picture(path.read_bytes(), path.stem) for path in films),
    )
