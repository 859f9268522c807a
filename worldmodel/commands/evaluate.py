"""`worldmodel evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

import torch

from worldmodel.clip import Clip
from worldmodel.commands.options import check_output, parse
from worldmodel.commands.trained import load
from worldmodel.data.clips.config import DataConfig, held_out, open_data, split_data
from worldmodel.data.clips.splits import load_split
from worldmodel.data.recording import Part
from worldmodel.errors import InputError, check_at_least
from worldmodel.evaluation import Evaluation, evaluate
from worldmodel.model import WorldModel
from worldmodel.report.picture import write_png
from worldmodel.report.plot import curves
from worldmodel.report.strip import comparison
from worldmodel.report.table import Table
from worldmodel.rollout import check_context, predict

RECORD = "evaluation.json"
"""File of the scores in the output folder."""


@final
@dataclass(frozen=True)
class EvaluateConfig:
    """Scores of a trained model on recordings it was not trained on.

    Attributes:
        data: Recordings and clips, as in training.
        output: Folder of `evaluation.json`, error curves and strips of predictions.
        checkpoint: Folder of a checkpoint; or give `pretrained`.
        pretrained: Name of a checkpoint that ships with the package.
        split: The training run's `split.json`; without it the split is made anew by the same rule.
        part: Which part of the recordings to score.
        hop: Recorded frames between the starts of neighbouring clips; if left out, so many that
            clips share no frame.
        strips: Pictures of predictions to draw.
    """

    data: DataConfig
    output: str
    checkpoint: str | None = None
    pretrained: str | None = None
    split: str | None = None
    part: Part = "test"
    hop: int | None = None
    strips: int = 4

    def __post_init__(self) -> None:
        check_at_least(0, self, "strips")
        check_at_least(1, self, *(["hop"] if self.hop is not None else []))


def run(arguments: Sequence[str]) -> None:
    """Evaluate, print the table, write JSON and pictures.

    Raises:
        InputError: The output folder holds an earlier evaluation.
    """
    config = parse(EvaluateConfig, "evaluate", arguments)
    if Path(config.output, RECORD).exists():
        raise InputError(
            f"output: {config.output} holds an earlier evaluation; choose another folder"
        )
    evaluate_to_folder(config)


def evaluate_to_folder(config: EvaluateConfig) -> Evaluation:
    """Scores of a trained model, printed and written with pictures to the output folder.

    Raises:
        InputError: Checkpoint, recordings or split are missing, damaged or do not fit, or the
            folder cannot be written.
    """
    data, output = config.data, Path(config.output)
    check_output(output)
    checkpoint = load(config.checkpoint, config.pretrained)
    check_context(data.context, data.window.length)
    source = open_data(data)
    checkpoint.check_actions(source.action_names)
    if data.window.stride != checkpoint.card.stride:
        raise InputError(
            f"data.window.stride: this checkpoint was trained with {checkpoint.card.stride}, "
            f"got {data.window.stride}"
        )
    split = load_split(config.split) if config.split else split_data(source, data)
    clips = held_out(source, split, config.part, data, hop=config.hop, workers=data.workers)
    evaluation = evaluate(checkpoint.model, clips, data.context)
    output.mkdir(parents=True, exist_ok=True)
    evaluation.save(output / RECORD)
    print(Table.of(evaluation.records()).markdown())
    _draw_curves(evaluation, output)
    _draw_strips(checkpoint.model, clips, data.context, config.strips, output)
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
