"""From a folder of robot logs to a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

import lightning
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from worldmodel.data.episodes import EpisodeSource
from worldmodel.data.splits import Split, save_split, split_by_hash
from worldmodel.data.statistics import ActionStatistics, action_statistics
from worldmodel.errors import InputError
from worldmodel.layers.action import ActionEncoder
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.rollout import check_context
from worldmodel.training.callbacks import LAST, ValidationStrip, resumable_states
from worldmodel.training.checkpoint import ModelCard, save_checkpoint
from worldmodel.training.curriculum import Curriculum, ReverseScheduledSampling
from worldmodel.training.forecaster import Forecaster, OptimizerConfig
from worldmodel.training.recordings import DataConfig, Recordings, open_source


@final
@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        data: Recordings and clips.
        output: Folder of the run: `checkpoint/`, `resume/`, `split.json`, `strips/`, TensorBoard.
        model: Architecture and its options.
        curriculum: Which steps take recorded frames instead of predictions.
        optimizer: How the weights move.
        steps: Optimiser steps.
        validate_every: Steps between validations.
        validation_batches: Batches of a validation at most.
        seed: Seed of initial weights, batches and masks.
        precision: Number format, as Lightning names it: "32-true" or "bf16-mixed".
        accelerator: "cpu", "gpu" or "auto".
        devices: Number of devices.
        threads: CPU threads of the training process; 0 leaves torch's choice.
        stored: Number format of the weights in the checkpoint.
        resume: Go on from the folder's last saved state.
    """

    data: DataConfig
    output: str
    model: ModelConfig = field(default_factory=PredRNNConfig)
    curriculum: Curriculum = field(default_factory=ReverseScheduledSampling)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    steps: int = 80_000
    validate_every: int = 500
    validation_batches: int = 8
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    threads: int = 0
    stored: Literal["float32", "float16"] = "float32"
    resume: bool = False


def train(config: TrainConfig) -> Path:
    """Train a model and return the folder of its checkpoint.

    Raises:
        InputError: The data, the options or the folder of an earlier run do not fit.
    """
    output = Path(config.output)
    _check_output(config, output)
    check_context(config.data.context, config.data.window.length)
    source = open_source(config.data)
    split = split_by_hash(source.names, config.data.validation, config.data.test)
    episodes = split.episodes(source, "train")
    statistics = action_statistics(source, episodes, config.data.window.stride)
    lightning.seed_everything(config.seed, verbose=False)
    if config.threads:
        torch.set_num_threads(config.threads)
    model = _model(config, statistics)
    output.mkdir(parents=True, exist_ok=True)
    save_split(split, output / "split.json")
    trainer = _fit(config, model, source, split)
    folder = output / "checkpoint"
    if trainer.is_global_zero:
        card = _card(config, source, statistics)
        save_checkpoint(folder, model, card, getattr(torch, config.stored))
    return folder


def _fit(
    config: TrainConfig, model: WorldModel, source: EpisodeSource, split: Split
) -> lightning.Trainer:
    data, output = config.data, Path(config.output)
    last = output / "resume" / LAST
    start = _saved_step(last) if config.resume else 0
    recordings = Recordings(source, split, data, config.seed, start, config.steps)
    trainer = lightning.Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        precision=config.precision,
        max_steps=config.steps,
        max_epochs=1,
        val_check_interval=min(config.validate_every, config.steps),
        limit_val_batches=config.validation_batches,
        num_sanity_val_steps=0,
        gradient_clip_val=config.optimizer.gradient_clip,
        log_every_n_steps=10,
        use_distributed_sampler=False,
        logger=TensorBoardLogger(output, name="tensorboard", version=""),
        callbacks=[
            TQDMProgressBar(refresh_rate=10),
            resumable_states(output / "resume", config.validate_every),
            ValidationStrip(output / "strips", data.context),
        ],
        enable_model_summary=False,
    )
    forecaster = Forecaster(
        model, config.curriculum, config.optimizer, data.context, config.steps, config.seed
    )
    state = last if config.resume else None
    trainer.fit(forecaster, recordings, ckpt_path=state, weights_only=True)
    return trainer


def _model(config: TrainConfig, statistics: ActionStatistics) -> WorldModel:
    size = config.data.window.image_size
    model = config.model.build((3, size, size), len(statistics.names))
    for module in model.modules():
        if isinstance(module, ActionEncoder):
            module.set_statistics(torch.tensor(statistics.mean), _spread(statistics))
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _spread(statistics: ActionStatistics) -> torch.Tensor:
    """Standard deviations, 1 where the action never changes."""
    std = torch.tensor(statistics.std)
    return torch.where(std > 0, std, 1.0)


def _card(config: TrainConfig, source: EpisodeSource, statistics: ActionStatistics) -> ModelCard:
    size = config.data.window.image_size
    return ModelCard(
        frame_shape=(3, size, size),
        action_names=statistics.names,
        action_mean=statistics.mean,
        action_std=tuple(_spread(statistics).tolist()),
        domains=source.domains,
        context=config.data.context,
        length=config.data.window.length,
        steps=config.steps,
        seed=config.seed,
        data=Path(config.data.path).name,
    )


def _check_output(config: TrainConfig, output: Path) -> None:
    last = output / "resume" / LAST
    if config.resume and not last.is_file():
        raise InputError(f"resume: {output} holds no saved state ({last} is missing)")
    if not config.resume and (last.exists() or (output / "checkpoint").exists()):
        raise InputError(
            f"output: {output} holds an earlier run; choose another folder, or go on with --resume"
        )


def _saved_step(last: Path) -> int:
    return int(torch.load(last, map_location="cpu", weights_only=True)["global_step"])
