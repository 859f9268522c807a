"""When training feeds recorded frames and when the model's own predictions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from worldmodel.errors import InputError, check_at_least


class Probabilities(NamedTuple):
    """Chance that a step takes the recorded frame, in [0, 1]."""

    context: float
    forecast: float


@dataclass(frozen=True)
class Curriculum(ABC):
    """A schedule of sampling probabilities over training steps."""

    @abstractmethod
    def probabilities(self, step: int) -> Probabilities:
        """Chances at a training step, counted from 0."""

    def sampling_mask(
        self, step: int, batch: int, context: int, length: int, generator: torch.Generator
    ) -> Tensor:
        """Draw which steps take the recorded frame.

        Args:
            step: Training step, counted from 0.
            batch: Clips B.
            context: Frames that are given at test time.
            length: Frames T of a clip.
            generator: Source of the draw, on the CPU.

        Returns:
            Booleans of shape (B, T-1) for `worldmodel.rollout.unroll`; step 0 is always True.
        """
        chances = self.probabilities(step)
        chance = torch.full((length - 1,), chances.forecast)
        chance[:context] = chances.context
        chance[0] = 1.0
        return torch.rand(batch, length - 1, generator=generator) < chance


@final
@dataclass(frozen=True)
class ScheduledSampling(Curriculum):
    """Scheduled sampling of the forecast (PredRNN, equation 8); the context is always recorded.

    Attributes:
        rate: Fall of the forecast's probability per step, from 1.
        stop: Step from which it is 0.
    """

    rate: float = 2e-5
    stop: int = 50_000

    def __post_init__(self) -> None:
        check_at_least(0, self, "rate", "stop")

    def probabilities(self, step: int) -> Probabilities:
        """See `Curriculum.probabilities`."""
        forecast = max(0.0, 1.0 - self.rate * step) if step < self.stop else 0.0
        return Probabilities(1.0, forecast)


@final
@dataclass(frozen=True)
class ReverseScheduledSampling(Curriculum):
    """Reverse scheduled sampling of the context with scheduled sampling of the forecast.

    The schedule of the authors' code (PredRNN-V2, section 4.3, second strategy, exponential
    increase): both chances are 0.5 up to `start`; then the context's rises to 1 exponentially and
    the forecast's falls to 0 linearly until `stop`. The defaults are theirs for Moving MNIST and
    BAIR; for KTH they take 5000, 50000 and 2000.

    Attributes:
        start: First step of the change.
        stop: Step from which the chances are 1 and 0.
        alpha: Time constant of the exponential increase, in steps.
    """

    start: int = 25_000
    stop: int = 50_000
    alpha: float = 2_500.0

    def __post_init__(self) -> None:
        check_at_least(0, self, "start")
        check_at_least(self.start, self, "stop")
        if not self.alpha > 0:
            raise InputError(
                f"ReverseScheduledSampling.alpha: expected more than 0, got {self.alpha}"
            )

    def probabilities(self, step: int) -> Probabilities:
        """See `Curriculum.probabilities`."""
        if step < self.start:
            return Probabilities(0.5, 0.5)
        if step >= self.stop:
            return Probabilities(1.0, 0.0)
        since = step - self.start
        context = 1.0 - 0.5 * math.exp(-since / self.alpha)
        return Probabilities(context, 0.5 - 0.5 * since / (self.stop - self.start))
