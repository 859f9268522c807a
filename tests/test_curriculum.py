"""Schedules against their formulas, and masks against their probabilities."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from worldmodel.commands.options import parse
from worldmodel.errors import InputError
from worldmodel.settings import described
from worldmodel.training.curriculum import (
    BAIR,
    KTH,
    MOVING_MNIST,
    PREDRNN,
    Curriculum,
    Curve,
    ReverseScheduledSampling,
    ScheduledSampling,
    Strategy,
)
from worldmodel.training.train import TrainConfig

CLIPS, CONTEXT, LENGTH = 20_000, 3, 8
START, STOP, ALPHA, BETA = 100, 200, 12.0, 40.0
EPSILON_S: dict[Strategy, float] = {"first": 0.0, "second": 0.5}
EPSILON_E = 1.0


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


@pytest.fixture(params=get_args(Curve))
def curve(request: pytest.FixtureRequest) -> Curve:
    return request.param


@pytest.fixture(params=get_args(Strategy))
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return request.param


@pytest.fixture
def reverse(curve: Curve, strategy: Strategy) -> ReverseScheduledSampling:
    beta = BETA if curve == "sigmoid" else None
    return ReverseScheduledSampling(START, STOP, ALPHA, beta, curve, strategy)


def epsilon(curve: Curve, epsilon_s: float, k: int) -> float:
    """The three schemes as the paper prints them."""
    if curve == "linear":
        alpha_l = (EPSILON_E - epsilon_s) / (STOP - START)
        return min(epsilon_s + alpha_l * k, EPSILON_E)
    if curve == "exponential":
        return EPSILON_E - (EPSILON_E - epsilon_s) * math.exp(-k / ALPHA)
    return epsilon_s + (EPSILON_E - epsilon_s) * (1 / (1 + math.exp((BETA - k) / ALPHA)))


def test_curves_of_the_paper(
    reverse: ReverseScheduledSampling, curve: Curve, strategy: Strategy
) -> None:
    for step in range(START, STOP):
        context = reverse.probabilities(step).context
        assert context == pytest.approx(epsilon(curve, EPSILON_S[strategy], step - START))


def test_strategies_start_and_end_where_the_paper_says(
    reverse: ReverseScheduledSampling, strategy: Strategy
) -> None:
    start = {"first": (0.0, 1.0), "second": (0.5, 0.5)}[strategy]
    assert [reverse.probabilities(step) for step in (0, START - 1)] == [start, start]
    assert [reverse.probabilities(step) for step in (STOP, 10 * STOP)] == [(1.0, 0.0)] * 2


def test_the_forecast_falls_linearly(reverse: ReverseScheduledSampling, strategy: Strategy) -> None:
    forecasts = [reverse.probabilities(step).forecast for step in range(START, STOP + 1)]
    highest = {"first": 1.0, "second": 0.5}[strategy]
    np.testing.assert_allclose(forecasts, np.linspace(highest, 0.0, STOP - START + 1), atol=1e-12)


def test_chances_never_turn_back(reverse: ReverseScheduledSampling) -> None:
    chances = [reverse.probabilities(step) for step in range(STOP + 2)]
    assert all(one.context <= next.context for one, next in pairwise(chances))
    assert all(one.forecast >= next.forecast for one, next in pairwise(chances))
    assert all(0.0 <= chance <= 1.0 for both in chances for chance in both)


def test_a_sigmoid_rises_midway_unless_told() -> None:
    curriculum = ReverseScheduledSampling(START, STOP, ALPHA, curve="sigmoid")
    assert curriculum.probabilities((START + STOP) // 2).context == 0.75
    steep = ReverseScheduledSampling(START, STOP, 1e-3, BETA, "sigmoid")
    contexts = [steep.probabilities(START + k).context for k in (0, 39, 40, 41, 99)]
    assert contexts == [0.5, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize("curve", get_args(Curve))
def test_a_change_may_take_no_time(curve: Curve) -> None:
    curriculum = ReverseScheduledSampling(5, 5, curve=curve)
    assert [curriculum.probabilities(step) for step in (4, 5)] == [(0.5, 0.5), (1.0, 0.0)]


@pytest.mark.data
@pytest.mark.parametrize(
    ("preset", "name"),
    [
        (MOVING_MNIST, "rss_mnist_bair"),
        (BAIR, "rss_mnist_bair"),
        (KTH, "rss_kth"),
        (ReverseScheduledSampling(), "rss_mnist_bair"),
        (ReverseScheduledSampling(alpha=5_000.0), "rss_default"),
        (PREDRNN, "ss"),
        (ScheduledSampling(), "ss"),
    ],
)
def test_presets_are_the_published_schedules(preset: Curriculum, name: str, fixtures: Path) -> None:
    with np.load(fixtures / "sampling_schedules.npz") as file:
        contexts = file.get(f"{name}/r_eta_context", np.ones(len(file["iterations"])))
        published = np.stack([contexts, file[f"{name}/eta_forecast"]], axis=1)
        ours = [preset.probabilities(int(step)) for step in file["iterations"]]
    np.testing.assert_allclose(ours, published, rtol=0, atol=1e-10)


@pytest.mark.parametrize("step", [0, 110, 140, 150, 300])
def test_frequencies_of_the_mask(reverse: ReverseScheduledSampling, step: int) -> None:
    check_frequencies(reverse, step)


@pytest.mark.parametrize("step", [0, 30, 60])
def test_frequencies_of_the_mask_with_a_recorded_context(step: int) -> None:
    check_frequencies(ScheduledSampling(rate=0.01, stop=60), step)


def check_frequencies(curriculum: Curriculum, step: int) -> None:
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
        (lambda: ScheduledSampling(stop=-1), "stop: expected at least 0, got -1"),
        (lambda: ReverseScheduledSampling(start=-1), "start: expected at least 0, got -1"),
        (lambda: ReverseScheduledSampling(10, 9), "stop: expected at least 10, got 9"),
        (lambda: ReverseScheduledSampling(alpha=0.0), "alpha: expected more than 0, got 0"),
        (
            lambda: ReverseScheduledSampling(curve="cubic"),  # pyright: ignore
            "curve: expected one of linear, exponential, sigmoid, got cubic",
        ),
        (
            lambda: ReverseScheduledSampling(strategy="third"),  # pyright: ignore
            "strategy: expected one of first, second, got third",
        ),
        (
            lambda: ReverseScheduledSampling(beta=5.0),
            "beta: expected none, .* got 5.0 with curve exponential",
        ),
        (
            lambda: ReverseScheduledSampling(10, 20, beta=10.1, curve="sigmoid"),
            "beta: expected more than 0 and at most stop - start = 10, got 10.1",
        ),
        (
            lambda: ReverseScheduledSampling(beta=0.0, curve="sigmoid"),
            "beta: expected more than 0 and at most stop - start = 25000, got 0.0",
        ),
    ],
)
def test_impossible_schedules_are_refused(build: Callable[[], Curriculum], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


def parsed(*options: str) -> TrainConfig:
    return parse(TrainConfig, "train", ["--data.path=x", "--output=x", *options])


def test_the_command_line_chooses_curve_and_strategy(curve: Curve, strategy: Strategy) -> None:
    options = [f"--curriculum.curve={curve}", f"--curriculum.strategy={strategy}"]
    config = parsed("--curriculum=ReverseScheduledSampling", *options)
    assert config.curriculum == ReverseScheduledSampling(curve=curve, strategy=strategy)


def test_options_survive_a_file(reverse: ReverseScheduledSampling, tmp_path: Path) -> None:
    options = described(parsed())
    options["curriculum"] = {
        "class_path": "ReverseScheduledSampling",
        "init_args": described(reverse),
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(options))
    config = parse(TrainConfig, "train", [f"--config={tmp_path / 'run.yaml'}"])
    assert config.curriculum == reverse


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "curve=cubic",
            r"curve: expected one of \['linear', 'exponential', 'sigmoid'\], got cubic",
        ),
        ("strategy=2", r"strategy: expected one of \['first', 'second'\], got 2"),
        ("beta=5", "beta: expected none, only a sigmoid increase has a starting point"),
        ("curv=linear", r"did you mean curriculum\.curve\?"),
    ],
)
def test_the_command_line_refuses_impossible_schedules(option: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed("--curriculum=ReverseScheduledSampling", f"--curriculum.{option}")
