"""The Lightning module: one optimiser step, one validation batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import lightning
import numpy as np
import torch
from torch import Tensor

from worldmodel.clip import Clip, where_measured
from worldmodel.errors import InputError, check_at_least
from worldmodel.metrics.pixel import mse_sum
from worldmodel.model import WorldModel
from worldmodel.rollout import predict, unroll
from worldmodel.training.curriculum import Curriculum
from worldmodel.training.loss import training_loss


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class OptimizerConfig:
    """How the weights move.

    Attributes:
        learning_rate: Of Adam.
        cosine: Let the rate fall to zero over the run along a cosine; otherwise it is constant,
            as in the papers.
        warmup: Steps over which the rate rises linearly.
        gradient_clip: Largest norm of the gradient.
        auxiliary_weight: Weight of the auxiliary terms of the loss (the papers' beta).
        absolute_weight: Weight of the mean absolute error beside the squared error; MotionRNN,
            MoDeRNN and E3D-LSTM train with 1.
        moving_weight: Additional weight of the squared error of moving pixels, those that changed
            by more than 0.03 since the frame before.
    """

    learning_rate: float = 3e-4
    cosine: bool = False
    warmup: int = 0
    gradient_clip: float = 1.0
    auxiliary_weight: float = 0.1
    absolute_weight: float = 0.0
    moving_weight: float = 0.0

    def __post_init__(self) -> None:
        check_at_least(0, self, "warmup", "gradient_clip", "auxiliary_weight")
        check_at_least(0, self, "absolute_weight", "moving_weight")
        if not self.learning_rate > 0:
            raise InputError(
                f"OptimizerConfig.learning_rate: expected more than 0, got {self.learning_rate}"
            )


@final
class Forecaster(lightning.LightningModule):
    """Trains a world model on clips.

    What a step draws at random depends on the seed, the step and the rank alone, so that a resumed
    run repeats an uninterrupted one.

    Args:
        model: The model to train.
        curriculum: Which steps take recorded frames.
        optimizer: How the weights move.
        context: Frames that are given in validation.
        steps: Length of the run, for the cosine.
        seed: Seed of the run.
        checkpointing: See `worldmodel.rollout.unroll`.
    """

    def __init__(
        self,
        model: WorldModel,
        curriculum: Curriculum,
        optimizer: OptimizerConfig,
        context: int,
        steps: int,
        seed: int,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self._curriculum, self._optimizer = curriculum, optimizer
        self._context, self._steps, self._seed = context, steps, seed
        self._checkpointing = checkpointing

    def training_step(self, batch: Clip, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        torch.manual_seed(_mixed(self._seed, self.global_step, 1 + self.global_rank))
        predictions, terms = unroll(
            self.model, batch, self._sampling_mask(batch), self._checkpointing
        )
        loss = training_loss(
            predictions,
            batch,
            terms,
            self._optimizer.auxiliary_weight,
            self._optimizer.absolute_weight,
            self._optimizer.moving_weight,
        )
        self.log("loss", loss, prog_bar=True, sync_dist=True)
        for name, value in terms.items():
            self.log(name, value, sync_dist=True)
        return loss

    def validation_step(self, batch: Clip, batch_idx: int) -> None:
        """Squared error of the prediction and of copying the last context frame."""
        truth, context = batch.frames[:, self._context :], self._context
        predictions = predict(self.model, batch, context).float()
        copied = batch.frames[:, context - 1 : context].expand_as(truth)
        for name, frames in (("mse", predictions), ("mse_copy_last", copied)):
            value = mse_sum(where_measured(frames, batch, context), truth).mean()
            self.log(
                f"validation/{name}", value, batch_size=len(truth), sync_dist=True, prog_bar=True
            )

    def configure_optimizers(self) -> Any:
        """Adam and its schedule, stepped every batch."""
        optimizer = torch.optim.Adam(self.parameters(), lr=self._optimizer.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate())
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _sampling_mask(self, batch: Clip) -> Tensor:
        """This rank's share of the mask that a single process would draw."""
        clips, length = batch.frames.shape[:2]
        rank, ranks = self.global_rank, self.trainer.world_size
        generator = torch.Generator().manual_seed(_mixed(self._seed, self.global_step, 0))
        mask = self._curriculum.sampling_mask(
            self.global_step, clips * ranks, self._context, length, generator
        )
        return mask[rank::ranks].to(batch.frames.device)

    def _rate(self) -> Callable[[int], float]:
        config, steps = self._optimizer, self._steps

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
            if not config.cosine:
                return warm
            return warm * 0.5 * (1.0 + math.cos(math.pi * step / steps))

        return rate


def _mixed(seed: int, step: int, stream: int) -> int:
    """One seed per combination of its arguments, none of which may be negative."""
    return int(np.random.SeedSequence((seed, step, stream)).generate_state(1, np.uint64)[0])
