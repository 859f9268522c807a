"""Scores over a data set: error per predicted step, with and without the actions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import final

import torch
from torch import Tensor

from worldmodel.clip import Clip, check_context, where_measured
from worldmodel.errors import InputError
from worldmodel.metrics.pixel import Metric, mse_sum, psnr_float, ssim_gaussian
from worldmodel.model import WorldModel
from worldmodel.rollout import predict
from worldmodel.whole_file import whole_file

STANDARD: Mapping[str, Metric] = MappingProxyType(
    {"mse_sum": mse_sum, "psnr_float": psnr_float, "ssim_gaussian": ssim_gaussian}
)


@final
@dataclass(frozen=True)
class Evaluation:
    """Scores of a model and of what it must beat, per predicted step.

    Predictors: `model`; `zero actions` and `exchanged actions`, the same model with every action
    replaced by 0 or by that of another clip, which score like `model` if it ignores actions; and
    `copy last frame`, which repeats the last frame of the context.

    Attributes:
        context: Number of observed frames.
        clips: Number of clips.
        frames: Number of recorded frames behind each predicted step. Length T-context.
        scores: `scores[predictor][metric]` holds one mean over frames per predicted step.
    """

    context: int
    clips: int
    frames: tuple[int, ...]
    scores: Mapping[str, Mapping[str, tuple[float, ...]]]

    def mean(self, predictor: str, metric: str) -> float:
        """Mean over all predicted frames."""
        per_step = self.scores[predictor][metric]
        total = sum(n * value for n, value in zip(self.frames, per_step, strict=True))
        return total / sum(self.frames)

    def records(self) -> list[dict[str, str | float]]:
        """One row per predictor: its name and the mean of each metric."""
        return [
            {"predictor": predictor} | {metric: self.mean(predictor, metric) for metric in metrics}
            for predictor, metrics in self.scores.items()
        ]

    def save(self, path: Path) -> None:
        """Write as JSON; an infinite score (the PSNR of equal frames) becomes null."""
        with whole_file(path) as unfinished:
            unfinished.write_text(
                json.dumps(_finite(asdict(self)), indent=2, allow_nan=False) + "\n"
            )


@torch.no_grad()
def evaluate(
    model: WorldModel,
    batches: Iterable[Clip],
    context: int,
    metrics: Mapping[str, Metric] = STANDARD,
) -> Evaluation:
    """Predict every clip after its context and score each predicted step.

    Every recorded frame counts once, whatever the batch it came in; padding does not count. Where
    pixels are missing, predictions count as right. Puts the model into evaluation mode.

    Args:
        model: The world model.
        batches: Clips, all of one length; the last batch may be smaller.
        context: Number of frames to observe.
        metrics: Per-frame metrics by name.

    Raises:
        InputError: No clips, clips of different lengths, a context that leaves nothing to predict,
            a step without a recorded frame, or a clip that does not fit the model.
    """
    model.eval()
    clips, frames = 0, torch.zeros(0, dtype=torch.long)
    sums: dict[str, dict[str, Tensor]] = {}
    for clip, exchanged in _with_exchanged_actions(clip.to(model.device) for clip in batches):
        check_context(context, clip.frames.shape[1])
        truth, valid = clip.frames[:, context:], clip.valid[:, context:]
        clips += len(truth)
        frames = valid.sum(0).cpu() + (frames if len(frames) else 0)
        for predictor, prediction in _predictions(model, clip, exchanged, context):
            guess = where_measured(prediction, clip, context)
            row = sums.setdefault(predictor, {})
            for name, metric in metrics.items():
                values = metric(guess, truth).masked_fill(~valid, 0.0)
                row[name] = row.get(name, 0.0) + values.double().sum(0).cpu()
    if not clips or not frames.all():
        raise InputError(
            "evaluation: expected a recorded frame at every predicted step, "
            f"got {frames.tolist()} frames from {clips} clips"
        )
    if clips == 1:
        sums.pop("exchanged actions", None)  # there is no other clip to take them from
    scores = {
        predictor: {name: tuple((total / frames).tolist()) for name, total in row.items()}
        for predictor, row in sums.items()
    }
    return Evaluation(context, clips, tuple(frames.tolist()), scores)


def _with_exchanged_actions(batches: Iterable[Clip]) -> Iterator[tuple[Clip, Tensor]]:
    """Pair each batch with the actions of the clip before each clip.

    Reaching back into the previous batch makes this work for batches of one clip; only the very
    first clip takes the actions of the last clip of its own batch.
    """
    previous: Tensor | None = None
    for clip in batches:
        if previous is not None and previous.shape[1] != clip.actions.shape[1]:
            raise InputError(
                f"evaluation: expected clips of one length, got {previous.shape[1] + 1} "
                f"and {clip.frames.shape[1]} frames"
            )
        first = clip.actions[-1:] if previous is None else previous
        yield clip, torch.cat([first, clip.actions[:-1]])
        previous = clip.actions[-1:]


def _predictions(
    model: WorldModel, clip: Clip, exchanged: Tensor, context: int
) -> Iterator[tuple[str, Tensor]]:
    yield "model", predict(model, clip, context)
    if model.action_dim:
        yield "zero actions", predict(model, _acting(clip, torch.zeros_like(clip.actions)), context)
        yield "exchanged actions", predict(model, _acting(clip, exchanged), context)
    last = clip.frames[:, context - 1 : context]
    yield "copy last frame", last.expand_as(clip.frames[:, context:])


def _acting(clip: Clip, actions: Tensor) -> Clip:
    return Clip.checked(clip.frames, actions, clip.domain, clip.valid, clip.missing)


def _finite(value: object) -> object:
    """A copy of nested records with every number that JSON cannot hold replaced by None."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
