"""`worldmodel evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

import torch

from worldmodel.clip import Clip, check_context
from worldmodel.commands.options import parse, taken, with_leading
from worldmodel.commands.trained import Trained
from worldmodel.data.clips.config import DataConfig, held_out, open_data, split_data
from worldmodel.data.clips.splits import load_split
from worldmodel.data.recording import Part
from worldmodel.errors import InputError, check_at_least
from worldmodel.evaluation import STANDARD, Evaluation, evaluate
from worldmodel.metrics.pixel import METRICS
from worldmodel.model import WorldModel
from worldmodel.output_folder import OutputFolder
from worldmodel.report.picture import write_png
from worldmodel.report.plot import curves
from worldmodel.report.strip import comparison
from worldmodel.report.table import Table
from worldmodel.rollout import predict

RECORD = "evaluation.json"
"""File of the scores in the output folder."""

FREE = ("data.path", "data.workers", "data.cache", "data.disk_cache", "output")
"""Options that may change when an evaluation that was stopped is begun again."""


@final
@dataclass(frozen=True)
class EvaluateConfig:
    """Scores of a trained model on recordings it was not trained on.

    Attributes:
        model: Folder of a training run, which knows its recordings and their parts; or folder of a
            checkpoint, or name of one that ships with the package.
        data: Recordings and clips; of a training run as they were in training, where the context
            and the length of the clips may be others.
        output: Folder of `evaluation.json`, error curves and strips of predictions; of a training
            run its `evaluation` if left out.
        split: A training run's `split.json`; without it the split is made anew by the same rule.
        part: Which part of the recordings to score.
        hop: Recorded frames between the starts of neighbouring clips; if left out, so many that
            clips share no frame.
        metrics: What to measure in each predicted frame.
        strips: Pictures of predictions to draw.

    Raises:
        InputError: A number is too small, or a metric unknown.
    """

    model: str
    data: DataConfig
    output: str
    split: str | None = None
    part: Part = "test"
    hop: int | None = None
    metrics: tuple[str, ...] = tuple(STANDARD)
    strips: int = 4

    def __post_init__(self) -> None:
        check_at_least(0, self, "strips")
        check_at_least(1, self, *(["hop"] if self.hop is not None else []))
        if not self.metrics:
            raise InputError(f"metrics: expected at least one of {', '.join(METRICS)}, got none")
        for name in self.metrics:
            METRICS.name(name)


def run(arguments: Sequence[str]) -> None:
    """Evaluate, print the table, write JSON and pictures.

    Raises:
        InputError: The output folder holds an earlier evaluation.
    """
    name, _ = taken("model", with_leading(arguments, "model"))
    trained = Trained.find(name) if name else None
    known = trained.known if trained else None
    config = parse(EvaluateConfig, "evaluate", arguments, leading=["model"], known=known)
    if Path(config.output, RECORD).exists():
        raise InputError(
            f"output: {config.output} holds an earlier evaluation; choose another --output"
        )
    evaluate_to_folder(config, trained)


def evaluate_to_folder(config: EvaluateConfig, trained: Trained | None = None) -> Evaluation:
    """Scores of a trained model, printed and written with pictures to the output folder.

    Args:
        config: What to score, and on what.
        trained: The model that `config` names, if it was read already.

    Raises:
        InputError: Model, recordings or split are missing, damaged or do not fit, an option
            contradicts the model's training, or the folder cannot be written.
    """
    trained = trained or Trained.find(config.model)
    trained.check(config)
    data, output, model = config.data, Path(config.output), trained.checkpoint.model
    folder = OutputFolder.checked(output, "evaluate", config, FREE)
    check_context(data.context, data.window.length)
    source = open_data(data)
    trained.checkpoint.check_actions(source.action_names)
    split = load_split(config.split) if config.split else split_data(source, data)
    clips = held_out(source, split, config.part, data, hop=config.hop, workers=data.workers)
    print(trained.taken(config))
    metrics = {METRICS.name(name): METRICS[name] for name in config.metrics}
    evaluation = evaluate(model, clips, data.context, metrics)
    folder.begin()
    evaluation.save(output / RECORD)
    print(f"{evaluation.clips} clips of the {config.part} part, means over all predicted frames:\n")
    print(Table.of(evaluation.records()).markdown())
    _draw_curves(evaluation, output)
    _draw_strips(model, clips, data.context, config.strips, output)
    print(f"written to {output}")
    return evaluation


def _draw_strips(
    model: WorldModel, clips: Iterable[Clip], context: int, count: int, folder: Path
) -> None:
    """Draw the predictions of the first clips."""
    singles = (clip[i : i + 1] for clip in clips for i in range(len(clip.frames)))
    for number, clip in enumerate(islice(singles, count)):
        with torch.inference_mode():
            prediction = predict(model, clip, context)[0].clamp(0.0, 1.0)
        picture = comparison(clip.frames[0, context:], prediction, context)
        write_png(folder / f"strip-{number}.png", picture)


def _draw_curves(evaluation: Evaluation, folder: Path) -> None:
    for metric in next(iter(evaluation.scores.values())):
        series = {predictor: scores[metric] for predictor, scores in evaluation.scores.items()}
        (folder / f"{metric}.png").write_bytes(curves(series, "predicted step", metric))
