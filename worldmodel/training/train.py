"""From a folder of robot logs to a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from worldmodel.checkpoint import ModelCard, save_checkpoint
from worldmodel.compiling import compile_steps
from worldmodel.data.clips.config import DataConfig, open_data, split_data
from worldmodel.data.clips.statistics import ActionStatistics, action_statistics
from worldmodel.data.source import Source
from worldmodel.errors import InputError, check_at_least, check_one_of
from worldmodel.model import ModelConfig, WorldModel, channels_last
from worldmodel.models.architectures import architecture_of
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.training.callbacks import (
    Interrupted,
    Interruption,
    StepBar,
    ValidationStrip,
    resumable_states,
)
from worldmodel.training.curriculum import Curriculum, ReverseScheduledSampling
from worldmodel.training.data_module import ClipModule
from worldmodel.training.forecaster import Forecaster, OptimizerConfig
from worldmodel.training.quiet import quiet_lightning
from worldmodel.training.run_folder import RunFolder

Accelerator = Literal["auto", "cpu", "gpu"]


@final
@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        data: Recordings and clips.
        output: Folder of the run: `checkpoint/`, `resume/`, `run.yaml`, `split.json`,
            `recordings.sha256`, `strips/`, TensorBoard.
        model: Architecture by its name, as `worldmodel models` lists them, and its options.
        curriculum: Which steps take recorded frames instead of predictions; `moving-mnist`, `bair`,
            `kth` and `predrnn` are the authors' own.
        optimizer: How the weights move.
        steps: Optimiser steps.
        validate_every: Steps between validations.
        validation_batches: Batches of a validation at most, of clips spread over all recordings.
        seed: Seed of initial weights, batches and masks.
        precision: Number format, as Lightning names it: "32-true" or "bf16-mixed".
        accelerator: "cpu", "gpu" or "auto", which takes GPUs if there are any.
        devices: Number of devices, or of processes on the CPU.
        threads: CPU threads of the training process; 0 leaves torch's choice.
        stored: Number format of the weights in the checkpoint.
        checkpointing: Compute steps twice to keep less of them in memory: a third more work.
        compile: Compile the steps of the model: minutes at first, and little gain on a CPU.

    Raises:
        InputError: A number is too small.
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
    accelerator: Accelerator = "auto"
    devices: int = 1
    threads: int = 0
    stored: Literal["float32", "float16"] = "float32"
    checkpointing: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "steps", "validate_every", "validation_batches", "devices")
        check_at_least(0, self, "seed", "threads")
        check_one_of(self, "accelerator", Accelerator)


def train(config: TrainConfig, resume: bool = False) -> Path:
    """Train a model and return the folder of its checkpoint.

    Args:
        config: Data, model and how it is trained.
        resume: Go on from the last saved state in the folder, with the same options.

    Raises:
        InputError: The data, the options or the folder of an earlier run do not fit.
        KeyboardInterrupt: Ctrl-C or SIGTERM stopped the run; says how to go on.
    """
    folder = RunFolder(Path(config.output))
    _check_devices(config)
    architecture_of(config.model)  # or its checkpoint could not be saved
    output = folder.checked(config, resume)
    source = open_data(config.data)
    split = split_data(source, config.data)
    if resume:
        folder.check_recordings(split, source.digest)
    start = folder.saved_step() if resume else 0
    clips = ClipModule(
        source,
        split,
        config.data,
        config.seed,
        start,
        config.steps,
        config.devices,
        config.validation_batches * config.data.batch_size,
    )
    statistics = action_statistics(source, split.spans(source, "train"), config.data.window.stride)
    frame_shape = (clips.channels, *config.data.window.size)
    if config.threads:
        torch.set_num_threads(config.threads)
    model = _model(config, frame_shape, statistics)
    output.begin()
    if not resume:
        folder.begin(split, source.digest)
    state = folder.state if resume else None
    with quiet_lightning():
        trainer = _fit(config, folder, model, clips, state)
    if trainer.is_global_zero:
        card = _card(config, model, source, statistics)
        save_checkpoint(folder.checkpoint, model, card, getattr(torch, config.stored))
    return folder.checkpoint


def _fit(
    config: TrainConfig,
    folder: RunFolder,
    model: WorldModel,
    clips: ClipModule,
    state: Path | None,
) -> lightning.Trainer:
    context = config.data.context
    forecaster = Forecaster(
        compile_steps(model) if config.compile else model,
        config.curriculum,
        config.optimizer,
        context,
        config.steps,
        config.seed,
        config.checkpointing,
    )
    with Interruption() as interruption:
        trainer = lightning.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            precision=config.precision,
            max_steps=config.steps,
            max_epochs=1,
            val_check_interval=min(config.validate_every, config.steps),
            num_sanity_val_steps=0,
            gradient_clip_val=config.optimizer.gradient_clip,
            log_every_n_steps=min(10, config.steps),
            use_distributed_sampler=False,
            logger=TensorBoardLogger(folder.root, name="tensorboard", version=""),
            callbacks=[
                StepBar(),
                interruption,
                resumable_states(folder.state, config.validate_every),
                ValidationStrip(folder.strips, context),
            ],
            enable_model_summary=False,
        )
        try:
            trainer.fit(forecaster, clips, ckpt_path=state, weights_only=True)
        except (Interrupted, SIGTERMException):
            raise KeyboardInterrupt(
                f"stopped after step {trainer.global_step} of {config.steps}; "
                f"go on with: worldmodel train --resume {folder.root}"
            ) from None
    return trainer


def _check_devices(config: TrainConfig) -> None:
    gpus = max(torch.cuda.device_count(), int(torch.backends.mps.is_available()))
    on_gpu = config.accelerator == "gpu" or (config.accelerator == "auto" and gpus > 0)
    if on_gpu and config.devices > gpus:
        raise InputError(f"devices: expected at most the {gpus} GPUs here, got {config.devices}")
    if config.data.batch_size % config.devices:
        raise InputError(
            f"data.batch_size: expected a multiple of the {config.devices} devices, "
            f"got {config.data.batch_size}"
        )


def _model(
    config: TrainConfig, frame_shape: tuple[int, int, int], statistics: ActionStatistics
) -> WorldModel:
    torch.manual_seed(config.seed)
    model = config.model.build(frame_shape, len(statistics.names))
    model.set_action_statistics(torch.tensor(statistics.mean), torch.tensor(statistics.std))
    return channels_last(model)


def _card(
    config: TrainConfig,
    model: WorldModel,
    source: Source,
    statistics: ActionStatistics,
) -> ModelCard:
    camera = config.data.camera
    return ModelCard(
        frame_shape=model.frame_shape,
        action_names=statistics.names,
        action_mean=statistics.mean,
        action_std=() if model.actions is None else tuple(model.actions.std.tolist()),
        domains=source.domains,
        context=config.data.context,
        length=config.data.window.length,
        steps=config.steps,
        seed=config.seed,
        data=config.data.title,
        stride=config.data.window.stride,
        camera=tuple(camera) if isinstance(camera, list) else camera,
        fit=config.data.window.fit,
        color=config.data.window.color,
    )
