"""When training feeds recorded frames and when the model's own predictions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import torch
from torch import Tensor

from worldmodel.errors import InputError, check_at_least, check_one_of
from worldmodel.registry import Registry

Curve = Literal["linear", "exponential", "sigmoid"]
"""How the context's chance of a recorded frame rises (PredRNN-V2, section 4.3)."""

Strategy = Literal["first", "second"]
"""How reverse and original scheduled sampling combine (PredRNN-V2, figure 5 and table 4)."""

_CONTEXT_START: dict[Strategy, float] = {"first": 0.0, "second": 0.5}


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

    PredRNN-V2, section 4.3: the context's chance (epsilon) rises to 1 along a curve while the
    forecast's (eta) falls to 0 linearly. The first strategy starts them at 0 and 1; the second
    starts both at 0.5, so that encoder and forecaster are trained alike at first. As in the
    authors' code, which has the second with the exponential, the chances rest before `start` and
    are final from `stop`, however far the curve has come; the paper's iterations k are the steps
    since `start`.

    Attributes:
        start: First step of the change.
        stop: Step from which the chances are 1 and 0.
        alpha: Increasing factor alpha_e of the exponential or alpha_s of the sigmoid, in steps.
            The linear increase does not use it: its alpha_l follows from reaching 1 at `stop`.
        beta: Starting point beta_s of the sigmoid, in steps since `start`, where it is halfway;
            None for the middle between `start` and `stop`.
        curve: Form of the context's increase.
        strategy: Chances of context and forecast up to `start`: 0 and 1 in the first, 0.5 and 0.5
            in the second.

    Raises:
        InputError: A number is out of range, the curve or strategy is unknown, or a curve that is
            no sigmoid has a starting point.
    """

    start: int = 25_000
    stop: int = 50_000
    alpha: float = 2_500.0
    beta: float | None = None
    curve: Curve = "exponential"
    strategy: Strategy = "second"

    def __post_init__(self) -> None:
        check_at_least(0, self, "start")
        check_at_least(self.start, self, "stop")
        if not self.alpha > 0:
            raise InputError(
                f"ReverseScheduledSampling.alpha: expected more than 0, got {self.alpha}"
            )
        check_one_of(self, "curve", Curve)
        check_one_of(self, "strategy", Strategy)
        self._check_beta()

    def _check_beta(self) -> None:
        if self.beta is None:
            return
        if self.curve != "sigmoid":
            raise InputError(
                "ReverseScheduledSampling.beta: expected none, only a sigmoid increase has a "
                f"starting point; got {self.beta} with curve {self.curve}"
            )
        if not 0 < self.beta <= self.stop - self.start:
            raise InputError(
                "ReverseScheduledSampling.beta: expected more than 0 and at most stop - start = "
                f"{self.stop - self.start}, got {self.beta}"
            )

    def probabilities(self, step: int) -> Probabilities:
        """See `Curriculum.probabilities`."""
        context = _CONTEXT_START[self.strategy]
        forecast = 1.0 - context
        if step < self.start:
            return Probabilities(context, forecast)
        if step >= self.stop:
            return Probabilities(1.0, 0.0)
        k = step - self.start
        return Probabilities(
            1.0 - (1.0 - context) * self._remaining(k),
            forecast - forecast * k / (self.stop - self.start),
        )

    def _remaining(self, k: int) -> float:
        """Share of the context's increase that is still to come after k steps of change."""
        span = self.stop - self.start
        match self.curve:
            case "linear":
                return 1.0 - k / span
            case "exponential":
                return math.exp(-k / self.alpha)
            case "sigmoid":
                beta = span / 2 if self.beta is None else self.beta
                # 1 / (1 + exp((k - beta) / alpha)), but exp could overflow
                return 0.5 - 0.5 * math.tanh((k - beta) / (2.0 * self.alpha))


PREDRNN = ScheduledSampling(rate=2e-5, stop=50_000)
"""Schedule of the authors' code for PredRNN on Moving MNIST and KTH."""

MOVING_MNIST = ReverseScheduledSampling(start=25_000, stop=50_000, alpha=2_500.0)
"""Schedule of the authors' code for PredRNN-V2 on Moving MNIST."""

BAIR = MOVING_MNIST
"""Schedule of the authors' code for PredRNN and PredRNN-V2 with actions, on BAIR."""

KTH = ReverseScheduledSampling(start=5_000, stop=50_000, alpha=2_000.0)
"""Schedule of the authors' code for PredRNN-V2 on KTH."""

CURRICULA: Registry[Curriculum | type[Curriculum]] = Registry(
    "curriculum",
    {
        "scheduled-sampling": "worldmodel.training.curriculum:ScheduledSampling",
        "reverse-scheduled-sampling": "worldmodel.training.curriculum:ReverseScheduledSampling",
        "predrnn": "worldmodel.training.curriculum:PREDRNN",
        "moving-mnist": "worldmodel.training.curriculum:MOVING_MNIST",
        "bair": "worldmodel.training.curriculum:BAIR",
        "kth": "worldmodel.training.curriculum:KTH",
    },
)
"""Kinds of curriculum, and the authors' own by data set."""
