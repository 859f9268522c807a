"""The cross-entropy method and its noise against functions whose optimum is known."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import periodogram
from scipy.stats import truncnorm

from worldmodel.errors import InputError
from worldmodel.planners.baselines import NullConfig, RandomConfig
from worldmodel.planners.cem import CEM, CEMConfig
from worldmodel.planners.noise import TruncatedNormal, colored_noise
from worldmodel.planners.planner import Plan
from worldmodel.planners.space import Bounds

BOUNDS = Bounds(torch.tensor([-1.0, -0.05]), torch.tensor([1.0, 0.15]))
THOROUGH = CEMConfig(horizon=4, candidates=200, iterations=30, elites=20, min_std=1e-4)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unused(actions):
    raise AssertionError


class Quadratic:
    """Squared distance to a target (E, T, A), in half ranges; remembers what it was asked."""

    def __init__(self, target):
        self.target = target
        self.asked = []

    def __call__(self, actions):
        self.asked.append(actions)
        return ((actions - self.target[:, None]) / BOUNDS.half_range).square().sum((2, 3))


def target(environments=1, horizon=4, scale=0.9, seed=5):
    offset = torch.rand(environments, horizon, 2, generator=seeded(seed)) * 2 - 1
    return BOUNDS.middle + scale * offset * BOUNDS.half_range


def half_ranges(difference):
    return (difference / BOUNDS.half_range).abs().max().item()


def test_finds_the_optimum_of_a_quadratic():
    objective = Quadratic(target())
    plan = CEM(THOROUGH).plan(objective, BOUNDS, seeded())
    assert half_ranges(plan.actions - objective.target) < 0.01


def test_finds_the_nearest_point_of_an_optimum_outside_the_bounds():
    objective = Quadratic(target(scale=3.0))
    nearest = BOUNDS.nearest(objective.target)
    assert (nearest != objective.target).any()
    plan = CEM(THOROUGH).plan(objective, BOUNDS, seeded())
    assert half_ranges(plan.actions - nearest) < 0.01


@pytest.mark.parametrize("color", [0.0, 2.0])
def test_every_candidate_keeps_the_bounds_and_few_lie_on_them(color):
    objective = Quadratic(target(scale=3.0))
    config = CEMConfig(horizon=4, iterations=10, initial_std=2.0, color=color)
    CEM(config).plan(objective, BOUNDS, seeded())
    asked = torch.cat(objective.asked, dim=1)
    assert asked.shape == (1, 800, 4, 2)
    assert (asked >= BOUNDS.low).all()
    assert (asked <= BOUNDS.high).all()
    assert ((asked == BOUNDS.low) | (asked == BOUNDS.high)).double().mean() < 0.01


def test_the_best_cost_never_rises_and_is_that_of_the_plan():
    objective = Quadratic(target(environments=3))
    plan = CEM(CEMConfig(horizon=4, iterations=8)).plan(objective, BOUNDS, seeded(), environments=3)
    first, every_cost = objective(objective.asked[0]), objective(torch.cat(objective.asked, dim=1))
    assert (plan.cost < first.min(dim=1).values).all()
    assert torch.equal(plan.cost, every_cost.min(dim=1).values)
    assert torch.equal(plan.cost, objective(plan.actions[:, None])[:, 0])
    assert plan.evaluations == 8 * 80


def test_environments_are_planned_for_separately():
    objective = Quadratic(target(environments=3))
    plan = CEM(THOROUGH).plan(objective, BOUNDS, seeded(), environments=3)
    assert half_ranges(plan.actions - objective.target) < 0.01


def test_the_generator_decides():
    def actions(seed):
        return CEM().plan(Quadratic(target(horizon=12)), BOUNDS, seeded(seed)).actions

    assert torch.equal(actions(1), actions(1))
    assert not torch.equal(actions(1), actions(2))


def test_a_warm_start_helps_and_is_never_made_worse():
    objective = Quadratic(target())
    brief = CEM(CEMConfig(horizon=4, candidates=20, iterations=2, elites=5))
    thorough = CEM(THOROUGH).plan(objective, BOUNDS, seeded())
    cold = brief.plan(objective, BOUNDS, seeded(1))
    warm = brief.plan(objective, BOUNDS, seeded(1), previous=thorough)
    assert (warm.cost <= thorough.cost).all()
    assert (warm.cost < cold.cost).all()


def test_doing_nothing_is_a_candidate_of_a_cold_start():
    bounds = Bounds(-torch.ones(2), torch.ones(2))
    plan = CEM().plan(lambda actions: actions.square().sum((2, 3)), bounds, seeded())
    assert plan.cost.item() == 0.0


def test_chunks_repeat_their_action():
    objective = Quadratic(target(horizon=5))
    config = CEMConfig(horizon=5, chunk=2)
    plan = CEM(config).plan(objective, BOUNDS, seeded())
    asked = torch.cat(objective.asked, dim=1)
    assert asked.shape[2] == plan.actions.shape[1] == 5
    assert torch.equal(asked[:, :, 0::2][:, :, :2], asked[:, :, 1::2])
    assert (asked[:, :, 1] != asked[:, :, 2]).any()
    CEM(config).plan(objective, BOUNDS, seeded(), previous=plan.shifted(1))


def test_without_any_time_the_start_is_the_plan():
    plan = CEM(CEMConfig(horizon=4)).plan(Quadratic(target()), BOUNDS, seeded(), seconds=0.0)
    assert plan.evaluations == 1
    assert torch.equal(plan.actions, BOUNDS.middle.expand(1, 4, 2))


def test_shifting_drops_the_executed_actions_and_rests_at_the_end():
    actions = torch.arange(8.0).reshape(1, 4, 2)
    plan = Plan(actions, torch.zeros(1), 80, 0, 0.1, actions[:, None])
    shifted = plan.shifted(2)
    expected = torch.tensor([[[4.0, 5.0], [6.0, 7.0], [0.0, 0.0], [0.0, 0.0]]])
    assert torch.equal(shifted.actions, expected)
    assert torch.equal(shifted.others[:, 0], expected)
    assert torch.equal(plan.shifted(9).actions, torch.zeros(1, 4, 2))
    with pytest.raises(InputError, match="at least 0, got -1"):
        plan.shifted(-1)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.5), (0.9, 0.5), (-1.0, 0.1), (0.2, 5.0)])
def test_the_noise_is_a_truncated_normal(mean, std):
    bounds = Bounds(-torch.ones(1), torch.ones(1))
    shape = (1, 1, 1)
    noise = TruncatedNormal(torch.full(shape, mean), torch.full(shape, std), bounds)
    sample = noise.sample(100_000, seeded()).flatten()
    exact = truncnorm((-1 - mean) / std, (1 - mean) / std, loc=mean, scale=std)
    tolerance = 5 * exact.std() / math.sqrt(100_000)
    assert sample.mean().item() == pytest.approx(exact.mean(), abs=tolerance)
    assert sample.std().item() == pytest.approx(exact.std(), rel=0.02)


@pytest.mark.parametrize("steps", [11, 12])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.5])
def test_the_power_of_the_noise_falls_with_frequency_as_asked(exponent, steps):
    noise = colored_noise((1, 20_000, steps, 1), exponent, seeded())[0, :, :, 0].double()
    frequencies, power = periodogram(noise.numpy(), detrend="constant", scaling="spectrum")
    inner = slice(1, -1 if steps % 2 == 0 else None)  # both ends have one sideband only
    slope, _ = np.polyfit(np.log(frequencies[inner]), np.log(power.mean(0)[inner]), 1)
    assert slope == pytest.approx(-exponent, abs=0.05)
    assert noise.std(0).sub(1).abs().max() < 0.03


def test_random_planner_covers_the_bounds_evenly():
    plan = RandomConfig(50).build().plan(unused, BOUNDS, seeded(), environments=200)
    share = (plan.actions - BOUNDS.low) / (BOUNDS.high - BOUNDS.low)
    histogram = torch.histc(share, bins=10, min=0, max=1) / share.numel()
    assert histogram.sub(0.1).abs().max() < 0.01
    assert plan.evaluations == 0
    assert plan.cost.isnan().all()


def test_null_planner_stays_as_near_to_zero_as_the_bounds_allow():
    bounds = Bounds(torch.tensor([-1.0, 0.5]), torch.tensor([1.0, 1.0]))
    plan = NullConfig(3).build().plan(unused, bounds, seeded(), environments=2)
    assert torch.equal(plan.actions, torch.tensor([0.0, 0.5]).expand(2, 3, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"elites": 1}, r"CEMConfig.elites: expected 2 to all 80 candidates, got 1"),
        ({"elites": 81}, r"elites: expected 2 to all 80 candidates, got 81"),
        ({"kept": 11}, r"kept: expected 1 to 10 elites, got 11"),
        ({"horizon": 0}, r"horizon: expected at least 1, got 0"),
        ({"iterations": 0}, r"iterations: expected at least 1, got 0"),
        ({"smoothing": 1.0}, r"smoothing: expected at least 0 and below 1, got 1.0"),
        ({"min_std": 0.9}, r"min_std: expected 0.000001 to initial_std, got 0.9"),
        ({"color": -1.0}, r"color: expected 0 to 10, got -1.0"),
        ({"chunk": 13}, r"chunk: expected 1 to 12 steps of the horizon, got 13"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        CEMConfig(**options)


def test_costs_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"\(E, N\) = \(1, 80\), as a tensor, got \(1, 80, 12\)"):
        CEM().plan(lambda actions: actions.sum(3), BOUNDS, seeded())


def test_a_previous_plan_of_another_horizon_is_refused():
    plan = NullConfig(3).build().plan(unused, BOUNDS, seeded())
    with pytest.raises(InputError, match=r"\(1, 12, 2\), got \(1, 3, 2\)"):
        CEM().plan(Quadratic(target(horizon=12)), BOUNDS, seeded(), previous=plan)


@pytest.mark.parametrize(
    ("low", "high"), [([0.0], [0.0]), ([0.0, 0.0], [1.0]), ([0.0], [math.inf]), ([], [])]
)
def test_impossible_bounds_are_refused(low, high):
    with pytest.raises(InputError, match="bounds: expected"):
        Bounds(torch.tensor(low), torch.tensor(high))
