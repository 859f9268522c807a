"""What a training run leaves behind while it goes on: resumable states and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, final

import imageio.v3 as iio
import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from worldmodel.clip import Clip
from worldmodel.report.strip import comparison
from worldmodel.rollout import predict
from worldmodel.training.forecaster import Forecaster

LAST = "last.ckpt"


def resumable_states(folder: Path, every: int) -> ModelCheckpoint:
    """Keep the last state, saved every `every` steps and when the run is interrupted."""
    return ModelCheckpoint(
        dirpath=folder,
        filename="last",
        every_n_train_steps=every,
        save_top_k=1,
        enable_version_counter=False,
        save_on_exception=True,
    )


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
            self._clip = batch[:1]  # pyright: ignore[reportIndexIssue]

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
