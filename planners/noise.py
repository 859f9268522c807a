"""The distributions that sampling planners search with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.planners.space import Bounds, Choices


@final
@dataclass(frozen=True)
class TruncatedNormal:
    """Normal action sequences, truncated to the bounds so that none pile up on them.

    Attributes:
        mean: Mean before truncation, within the bounds. Shape (E, T, A).
        std: Standard deviation before truncation. Shape (E, T, A).
        bounds: Limits of every action.
        color: Exponent of the noise's power spectrum over time, see `colored_noise`.
    """

    mean: Tensor
    std: Tensor
    bounds: Bounds
    color: float = 0.0

    @property
    def center(self) -> Tensor:
        """The mean. Shape (E, T, A)."""
        return self.mean

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw `count` sequences, from the same noise for every environment. Shape (E, N, T, A).

        The noise is mapped through the normal distribution function onto the quantiles within the
        bounds, so that no draw is rejected and neighbouring steps stay correlated.
        """
        noise = colored_noise((1, count, *self.mean.shape[1:]), self.color, generator).to(self.mean)
        mean, std = self.mean[:, None], self.std[:, None]
        below = torch.special.ndtr((self.bounds.low - mean) / std)
        above = torch.special.ndtr((self.bounds.high - mean) / std)
        quantile = below + torch.special.ndtr(noise) * (above - below)
        return self.bounds.nearest(mean + std * torch.special.ndtri(quantile))


def colored_noise(shape: tuple[int, ...], exponent: float, generator: torch.Generator) -> Tensor:
    """Standard normal noise (E, N, T, A) whose power falls with frequency over time (iCEM, 3.1).

    The power spectral density is proportional to 1 / f**exponent: 0 is white noise, 1 pink, 2 red.
    The lowest frequency, a constant, has the power of the one above it (Timmer & König, 1995).
    """
    noise = torch.randn(shape, generator=generator, device=generator.device)
    steps = shape[2]
    if exponent == 0.0 or steps == 1:
        return noise
    frequency = torch.fft.rfftfreq(steps, device=noise.device)
    frequency[0] = frequency[1]
    amplitude = frequency ** (-exponent / 2)
    spectrum = torch.fft.rfft(noise, dim=2) * amplitude[:, None]
    return torch.fft.irfft(spectrum, n=steps, dim=2) / _deviation(amplitude, steps)


def _deviation(amplitude: Tensor, steps: int) -> float:
    """Standard deviation of white noise whose spectrum was multiplied by an amplitude."""
    power = amplitude.square()
    twice = power[1:-1] if steps % 2 == 0 else power[1:]
    once = power[0] + power[-1] if steps % 2 == 0 else power[0]
    return math.sqrt(float(once + 2 * twice.sum()) / steps)


@final
@dataclass(frozen=True)
class Categorical:
    """Sequences of choices, drawn independently at every step.

    Attributes:
        probability: Of each choice. Shape (E, T, K).
        choices: What there is to choose from.
    """

    probability: Tensor
    choices: Choices

    @property
    def center(self) -> Tensor:
        """The most likely sequence. Shape (E, T, A)."""
        return self.choices.actions[self.probability.argmax(-1)]

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw `count` sequences, from the same noise for every environment. Shape (E, N, T, A)."""
        cumulative = self.probability.cumsum(-1)[:, None]
        shape = (1, count, self.probability.shape[1], 1)
        drawn = torch.rand(shape, generator=generator, device=generator.device).to(cumulative)
        index = (drawn * cumulative[..., -1:] >= cumulative[..., :-1]).sum(-1)
        return self.choices.actions[index]
