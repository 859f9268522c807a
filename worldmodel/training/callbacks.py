"""What happens beside the optimiser steps: resumable states, progress, pictures, Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast, final

import imageio.v3 as iio
import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.loggers import TensorBoardLogger

from worldmodel.clip import Clip
from worldmodel.report.strip import comparison
from worldmodel.rollout import predict
from worldmodel.training.forecaster import Forecaster


def resumable_states(path: Path, every: int) -> ModelCheckpoint:
    """Keep the last state, saved every `every` steps and when the run is interrupted."""
    return ModelCheckpoint(
        dirpath=path.parent,
        filename=path.stem,
        every_n_train_steps=every,
        save_top_k=1,
        enable_version_counter=False,
        save_on_exception=True,
    )


class Interrupted(Exception):  # noqa: N818
    """Ctrl-C was pressed; the run stopped after a whole step, and its state is saved."""


@final
class Interruption(Callback):
    """Within it, Ctrl-C ends the run after the current step, as Lightning does on SIGTERM.

    An interrupt in the middle of a step could leave half of the weights updated. A second one ends
    the process at once and saves nothing.

    Raises:
        Interrupted: From `Trainer.fit`, on all devices after the same step.
    """

    def __init__(self) -> None:
        self._asked = False

    def __enter__(self) -> Self:
        self._previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Clip,
        batch_idx: int,
    ) -> None:
        """Stop if any device was asked to."""
        if trainer.strategy.reduce_boolean_decision(self._asked, all=False):
            raise Interrupted

    def _ask(self, *_: object) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@final
class StepBar(TQDMProgressBar):
    """Steps done of the whole run, those before it was resumed included."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=10)
        self.train_progress_bar = Tqdm(disable=True)

    def on_train_start(self, *_: Any) -> None:
        """Begin at the step that the run goes on from."""
        super().on_train_start()
        bar = self.train_progress_bar
        bar.total = self.trainer.max_steps
        bar.initial = bar.n = self.trainer.global_step

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Nothing: an epoch is the whole run."""

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Leave the line to the message that follows."""
        self.train_progress_bar.close()


@final
class ValidationStrip(Callback):
    """After each validation, a picture of one clip: truth, prediction and error, step by step.

    Args:
        folder: Where the pictures go, named by step.
        context: Frames that are given.
    """

    def __init__(self, folder: Path, context: int) -> None:
        self._folder, self._context = folder, context
        self._clip: Clip | None = None

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Clip,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Remember the first clip."""
        if batch_idx == 0:
            self._clip = batch[:1]

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw it."""
        if self._clip is None or not trainer.is_global_zero:
            return
        model = cast("Forecaster", pl_module).model
        with torch.inference_mode():
            prediction = predict(model, self._clip, self._context)[0].float().cpu()
        truth = self._clip.frames[0, self._context :].cpu()
        picture = comparison(truth, prediction, first_step=self._context)
        self._folder.mkdir(parents=True, exist_ok=True)
        iio.imwrite(self._folder / f"step-{trainer.global_step:06d}.png", picture)
        logger = cast("TensorBoardLogger", trainer.logger)
        logger.experiment.add_image(
            "validation/strip", picture, trainer.global_step, dataformats="HWC"
        )
