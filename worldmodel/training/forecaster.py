"""The Lightning module: one optimiser step, one validation batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import lightning
import torch
from torch import Tensor

from worldmodel.clip import Clip
from worldmodel.metrics.pixel import mse_sum
from worldmodel.model import WorldModel
from worldmodel.rollout import predict, unroll
from worldmodel.training.curriculum import Curriculum
from worldmodel.training.objective import training_loss


@final
@dataclass(frozen=True)
class OptimizerConfig:
    """How the weights move.

    Attributes:
        learning_rate: Of Adam.
        cosine: Let the rate fall to zero over the run along a cosine; otherwise it is constant,
            as in the papers.
        warmup: Steps over which the rate rises linearly.
        gradient_clip: Largest norm of the gradient.
        auxiliary_weight: Weight of the auxiliary terms of the loss (the papers' beta).
    """

    learning_rate: float = 3e-4
    cosine: bool = False
    warmup: int = 0
    gradient_clip: float = 1.0
    auxiliary_weight: float = 0.1


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
    """

    def __init__(
        self,
        model: WorldModel,
        curriculum: Curriculum,
        optimizer: OptimizerConfig,
        context: int,
        steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.model = model
        self._curriculum, self._optimizer = curriculum, optimizer
        self._context, self._steps, self._seed = context, steps, seed

    def training_step(self, batch: Clip, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        step = self.global_step
        generator = torch.Generator().manual_seed(_mixed(self._seed, step, self.global_rank))
        torch.manual_seed(_mixed(self._seed + 1, step, self.global_rank))
        length = batch.frames.shape[1]
        mask = self._curriculum.sampling_mask(
            step, batch.frames.shape[0], self._context, length, generator
        )
        predictions, terms = unroll(self.model, batch, mask.to(batch.frames.device))
        loss = training_loss(predictions, batch, terms, self._optimizer.auxiliary_weight)
        self.log("loss", loss, prog_bar=True)
        for name, value in terms.items():
            self.log(name, value)
        return loss

    def validation_step(self, batch: Clip, batch_idx: int) -> None:
        """Squared error of the prediction and of copying the last context frame."""
        truth, context = batch.frames[:, self._context :], self._context
        predictions = predict(self.model, batch, context).float()
        copied = batch.frames[:, context - 1 : context].expand_as(truth)
        for name, frames in (("mse", predictions), ("mse_copy_last", copied)):
            value = mse_sum(frames, truth).mean()
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

    def _rate(self) -> Callable[[int], float]:
        config, steps = self._optimizer, self._steps

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
            if not config.cosine:
                return warm
            return warm * 0.5 * (1.0 + torch.cos(torch.tensor(torch.pi * step / steps)).item())

        return rate


def _mixed(seed: int, step: int, rank: int) -> int:
    """One seed per (seed, step, rank)."""
    return hash((seed, step, rank)) & (2**63 - 1)
