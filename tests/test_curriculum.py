"""Schedules against their formulas, and masks against their probabilities."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.training.curriculum import (
    Curriculum,
    ReverseScheduledSampling,
    ScheduledSampling,
)

CLIPS, CONTEXT, LENGTH = 20_000, 3, 8


def mask(curriculum: Curriculum, step: int, seed: int = 0, clips: int = CLIPS) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return curriculum.sampling_mask(step, clips, CONTEXT, LENGTH, generator)


def test_scheduled_sampling_falls_linearly_to_zero() -> None:
    curriculum = ScheduledSampling(rate=0.01, stop=60)
    for step, forecast in [(0, 1.0), (1, 0.99), (59, 0.41), (60, 0.0), (1000, 0.0)]:
        assert curriculum.probabilities(step) == pytest.approx((1.0, forecast))
    assert ScheduledSampling(rate=0.01, stop=1000).probabilities(500) == (1.0, 0.0)


def test_reverse_scheduled_sampling_follows_the_authors_formula() -> None:
    curriculum = ReverseScheduledSampling(start=100, stop=200, alpha=20.0)
    for step in (0, 99):
        assert curriculum.probabilities(step) == (0.5, 0.5)
    for step in (100, 130, 199):
        since = step - 100
        expected = (1.0 - 0.5 * math.exp(-since / 20.0), 0.5 - 0.5 / 100 * since)
        assert curriculum.probabilities(step) == pytest.approx(expected)
    for step in (200, 10_000):
        assert curriculum.probabilities(step) == (1.0, 0.0)


@pytest.mark.parametrize("step", [0, 110, 150, 300])
def test_frequencies_of_the_mask(step: int) -> None:
    curriculum = ReverseScheduledSampling(start=100, stop=200, alpha=20.0)
    chances = curriculum.probabilities(step)
    drawn = mask(curriculum, step)
    assert drawn.shape == (CLIPS, LENGTH - 1)
    assert drawn.dtype == torch.bool
    assert drawn[:, 0].all()
    for t, frequency in enumerate(drawn[:, 1:].double().mean(0).tolist(), start=1):
        chance = chances.context if t < CONTEXT else chances.forecast
        deviation = math.sqrt(chance * (1.0 - chance) / CLIPS)
        assert abs(frequency - chance) <= 4.5 * deviation


def test_steps_and_clips_are_drawn_independently() -> None:
    drawn = mask(ReverseScheduledSampling(), 0)[:, 1:].double()
    assert (torch.corrcoef(drawn.T) - torch.eye(LENGTH - 2)).abs().max() < 0.05
    neighbours = torch.stack([drawn[1:].flatten(), drawn[:-1].flatten()])
    assert torch.corrcoef(neighbours)[0, 1].abs() < 0.02


def test_only_the_generator_decides() -> None:
    curriculum = ReverseScheduledSampling()
    first = mask(curriculum, 0, clips=50)
    torch.manual_seed(123)
    assert torch.equal(first, mask(curriculum, 0, clips=50))
    assert not torch.equal(first, mask(curriculum, 0, seed=1, clips=50))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ScheduledSampling(rate=-0.1), "rate: expected at least 0, got -0.1"),
        (lambda: ReverseScheduledSampling(start=-1), "start: expected at least 0, got -1"),
        (lambda: ReverseScheduledSampling(10, 9), "stop: expected at least 10, got 9"),
        (lambda: ReverseScheduledSampling(alpha=0.0), "alpha: expected more than 0, got 0"),
    ],
)
def test_impossible_schedules_are_refused(build: Callable[[], Curriculum], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()
