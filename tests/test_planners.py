"""Planners against functions whose optimum is known."""

import itertools
import math
import time

import numpy as np
import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.planners.categorical_cem import CategoricalCEMConfig
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cem_gradient import CEMGradientConfig
from worldmodel.planners.chunks import repeated, summed
from worldmodel.planners.gradient import GradientConfig
from worldmodel.planners.icem import ICEMConfig
from worldmodel.planners.lagrangian import LagrangianConfig
from worldmodel.planners.mppi import MPPI, MPPIConfig
from worldmodel.planners.predictive_sampling import PredictiveSamplingConfig
from worldmodel.planners.random_shooting import RandomShootingConfig
from worldmodel.planners.search import Search
from worldmodel.planners.space import Bounds, Choices

UNIT = Bounds(-torch.ones(2), torch.ones(2))
THOROUGH = {"candidates": 200, "iterations": 30, "min_std": 1e-4}
NEAR = [
    CEMConfig(**THOROUGH, elites=20),
    ICEMConfig(**THOROUGH, elites=20, color=0.5, decay=1.0),
    MPPIConfig(**THOROUGH),
    GradientConfig(steps=200, learning_rate=0.02),
    CEMGradientConfig(steps=100, learning_rate=0.01),
    LagrangianConfig(**THOROUGH, elites=20),
]
"""Planners that find an optimum exactly when they have the time."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def named(config):
    return type(config).__name__


class Calls:
    """An objective and how many candidates it was asked for."""

    def __init__(self, function):
        self.function, self.count, self.best = function, 0, []

    def __call__(self, actions):
        costs = self.function(actions)
        self.count += actions.shape[1]
        self.best.append(costs.detach().min(1).values)
        return costs


@pytest.mark.parametrize("config", NEAR, ids=named)
def test_the_optimum_of_a_quadratic_is_found(config):
    target = 1.6 * torch.rand(1, 4, 2, generator=seeded(3)) - 0.8

    def objective(actions):
        return (actions - target[:, None]).square().sum((2, 3))

    plan = type(config)(**{**vars(config), "horizon": 4}).build().plan(objective, UNIT, seeded())
    assert (plan.actions - target).abs().max() < 1e-2


DRIFT, PUSH, EFFORT = 0.9, 0.3, 0.1


def point_mass(start):
    """Quadratic cost of a mass in one dimension: position and speed, and effort."""

    def objective(actions):
        position, speed = torch.full(actions.shape[:2], start), torch.zeros(actions.shape[:2])
        cost = torch.zeros(actions.shape[:2])
        for t in range(actions.shape[2]):
            force = actions[:, :, t, 0]
            position, speed = position + 0.2 * speed, DRIFT * speed + PUSH * force
            cost = cost + position.square() + 0.1 * speed.square() + EFFORT * force.square()
        return cost

    return objective


def least_cost(start, horizon):
    """By the Riccati recursion of the linear-quadratic regulator, without any planner."""
    a, b = np.array([[1, 0.2], [0, DRIFT]]), np.array([[0.0], [PUSH]])
    q, r = np.diag([1.0, 0.1]), np.array([[EFFORT]])
    p = np.zeros((2, 2))
    for _ in range(horizon):
        p = q + p
        gain = np.linalg.solve(r + b.T @ p @ b, b.T @ p @ a)
        p = a.T @ p @ (a - b @ gain)
    x = np.array([start, 0.0])
    return x @ p @ x


@pytest.mark.parametrize("config", NEAR, ids=named)
def test_a_point_mass_is_steered_as_the_regulator_would(config):
    wide = Bounds(torch.tensor([-3.0]), torch.tensor([3.0]))
    planner = type(config)(**{**vars(config), "horizon": 8}).build()
    plan = planner.plan(point_mass(0.7), wide, seeded())
    assert plan.cost.item() <= 1.02 * least_cost(0.7, 8)
    assert plan.cost.item() >= (1 - 1e-4) * least_cost(0.7, 8)


def rosenbrock(actions):
    x = 2 * actions.flatten(2) - 0.5
    return (100 * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2).sum(-1)


def many_valleys(actions):
    """Rastrigin's function around a point off the centre."""
    x = 4 * (actions.flatten(2) - 0.37)
    return (x**2 - 3 * torch.cos(math.tau * x) + 3).sum(-1)


SEARCHING = [
    CEMConfig(horizon=3, candidates=80, iterations=6),
    ICEMConfig(horizon=3, candidates=100, iterations=6, elites=10, color=0.0),
    MPPIConfig(horizon=3, candidates=80, iterations=6),
    PredictiveSamplingConfig(horizon=3, candidates=80, iterations=6),
    GradientConfig(horizon=3, sequences=16, steps=29),
    CEMGradientConfig(horizon=3, candidates=70, iterations=6, steps=19),
    LagrangianConfig(horizon=3, candidates=80, iterations=6),
]


@pytest.mark.parametrize("function", [rosenbrock, many_valleys])
@pytest.mark.parametrize("config", SEARCHING, ids=named)
def test_a_search_beats_random_shooting_at_equal_calls(config, function):
    searched, shot = [], []
    for seed in range(8):
        objective = Calls(function)
        searched.append(config.build().plan(objective, UNIT, seeded(seed)).cost.item())
        assert objective.count <= 500
        shooting = RandomShootingConfig(horizon=3, candidates=objective.count).build()
        shot.append(shooting.plan(Calls(function), UNIT, seeded(seed)).cost.item())
    assert np.mean(searched) < np.mean(shot)
    assert np.median(searched) < np.median(shot)


@pytest.mark.parametrize("horizon", [12, 20, 30])
def test_icem_reaches_the_final_cost_of_cem_with_a_third_of_the_evaluations(horizon):
    goals = 2 * torch.rand(16, 1, 2, generator=seeded(11)) - 1

    def objective(actions):
        position = speed = torch.zeros_like(actions[:, :, 0])
        cost = torch.zeros(actions.shape[:2])
        for t in range(horizon):
            speed = 0.95 * speed + 0.1 * actions[:, :, t]
            position = position + 0.1 * speed
            effort = 0.001 * actions[:, :, t].square().sum(-1)
            cost = cost + (position - goals).square().sum(-1) + effort
        return cost

    final = {}
    for config in (CEMConfig(horizon=horizon), ICEMConfig(horizon=horizon)):
        plan = config.build().plan(objective, UNIT, seeded(5), environments=16)
        final[type(config)] = plan.cost.mean().item(), plan.evaluations
    (cem, many), (icem, few) = final[CEMConfig], final[ICEMConfig]
    assert few <= many / 3
    assert icem <= cem


def test_icem_starts_from_the_best_candidates_of_the_last_plan():
    asked = []

    def objective(actions):
        asked.append(actions)
        return (actions - 0.4).square().sum((2, 3))

    planner = ICEMConfig(horizon=4).build()
    before = planner.plan(objective, UNIT, seeded()).shifted(1)
    asked.clear()
    planner.plan(objective, UNIT, seeded(1), previous=before)
    torch.testing.assert_close(asked[0][:, :3], before.others[:, :3])
    assert [part.shape[1] for part in asked] == [32, 26, 20]


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_mppi_does_not_depend_on_the_unit_of_the_cost(scale):
    def plan(factor):
        def objective(actions):
            return factor * (5 + (actions - 0.3).square().sum((2, 3)))

        return MPPIConfig(horizon=4).build().plan(objective, UNIT, seeded())

    torch.testing.assert_close(plan(scale).actions, plan(1.0).actions, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e6])
def test_mppi_weights_are_a_stable_softmax(offset):
    costs = torch.tensor([[0.0, 1.0, 2.0, torch.inf]]) + offset
    weights = MPPI(MPPIConfig(temperature=0.5)).weights(costs)
    expected = np.exp([0.0, -2.0, -4.0, -np.inf])
    np.testing.assert_allclose(weights[0], expected / expected.sum(), rtol=1e-5)


def test_mppi_adapts_its_temperature_to_how_many_candidates_shall_count():
    costs = torch.rand(3, 200, generator=seeded()) * torch.tensor([[1e-6], [1.0], [1e6]])
    weights = MPPI(MPPIConfig(effective=0.1)).weights(costs).double()
    torch.testing.assert_close(weights.sum(1), torch.ones(3).double(), rtol=0, atol=1e-5)
    counted = 1 / weights.square().sum(1)
    torch.testing.assert_close(counted, torch.full((3,), 20.0).double(), rtol=1e-3, atol=0)


def test_gradients_are_those_of_finite_differences():
    def objective(actions):
        return (actions.cumsum(2).sin() * torch.tensor([1.0, -2.0])).sum((2, 3))

    space = Bounds(-torch.ones(2).double(), torch.ones(2).double())
    actions = torch.rand(2, 3, 4, 2, generator=seeded(), dtype=torch.float64)
    search = Search(objective, space, seeded(), (2, 4, 2))
    costs, gradients = search.costs_and_gradients(actions)
    torch.testing.assert_close(costs, objective(actions))
    for index in itertools.product(range(2), range(3), range(4), range(2)):
        step = torch.zeros_like(actions)
        step[index] = 1e-6
        slope = (objective(actions + step) - objective(actions - step))[index[:2]] / 2e-6
        assert gradients[index].item() == pytest.approx(slope.item(), abs=1e-6)


def test_the_gradient_of_a_decision_is_the_sum_over_its_steps():
    decisions = torch.rand(1, 2, 3, 2, generator=seeded()).requires_grad_()
    weights = torch.rand(1, 2, 5, 2, generator=seeded(1))
    (repeated(decisions, 2, 5) * weights).sum().backward()
    torch.testing.assert_close(summed(weights, 2), decisions.grad)


def test_an_objective_without_gradients_is_refused():
    with pytest.raises(InputError, match="expected one that lets gradients flow"):
        GradientConfig().build().plan(lambda actions: actions.detach().sum((2, 3)), UNIT, seeded())


class Walled:
    """Go far in x and y, but the sum of the x may not exceed a limit; each environment has one."""

    def __init__(self, limits):
        self.limits = torch.tensor(limits)[:, None]

    def __call__(self, actions):
        return (actions - 1.0).square().sum((2, 3))

    def with_excess(self, actions):
        return self(actions), (actions[..., 0].sum(-1) - self.limits)[..., None]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_lagrangian_meets_its_limit_and_little_more(scale):
    class Scaled(Walled):
        def with_excess(self, actions):
            costs, excess = super().with_excess(actions)
            return scale * costs, excess / scale

    config = LagrangianConfig(horizon=4, candidates=200, iterations=20, elites=20, min_std=1e-3)
    limits = (1.0, -2.0, 100.0)
    plan = config.build().plan(Scaled(limits), UNIT, seeded(), environments=3)
    reached = plan.actions[..., 0].sum(1)
    optimum = torch.tensor([4 * 0.75**2, 4 * 1.5**2, 0.0])  # the x are alike, the y are all 1
    assert (reached <= torch.tensor(limits)).all()
    assert (reached[:2] > torch.tensor(limits[:2]) - 0.1).all()
    assert (plan.cost / scale < optimum + 0.1).all()


def test_where_no_plan_keeps_a_limit_the_least_bad_is_taken():
    plan = LagrangianConfig(horizon=4).build().plan(Walled((-100.0,)), UNIT, seeded())
    assert plan.actions[..., 0].sum() < -3.0


@pytest.mark.parametrize("seed", range(3))
def test_categorical_cem_finds_the_optimum_of_a_small_table(seed):
    table = torch.rand(4, 4, 4, 4, generator=seeded(seed))

    def objective(actions):
        index = actions.argmax(-1)
        return table[tuple(index[..., t] for t in range(4))]

    planner = CategoricalCEMConfig(horizon=4, candidates=100).build()
    plan = planner.plan(objective, Choices(torch.eye(4)), seeded(seed))
    assert plan.cost.item() == table.min().item()
    assert plan.evaluations == 1 + 4**4


@pytest.mark.parametrize("seed", range(3))
def test_categorical_cem_finds_the_optimum_among_too_many_to_try(seed):
    table = torch.rand(8, 4, generator=seeded(seed))

    def objective(actions):
        return (actions * table).sum((2, 3))

    planner = CategoricalCEMConfig(horizon=8, iterations=6).build()
    plan = planner.plan(objective, Choices(torch.eye(4)), seeded(seed))
    assert plan.cost.item() == pytest.approx(table.min(1).values.sum().item())
    assert plan.evaluations < 500 < 4**8


def test_choices_need_not_be_one_hot():
    moves = Choices(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]))
    goal = torch.tensor([2.0, -3.0])

    def objective(actions):
        return (actions.sum(2) - goal).abs().sum(-1)

    for config in (CategoricalCEMConfig(horizon=6), RandomShootingConfig(horizon=6)):
        plan = config.build().plan(objective, moves, seeded())
        assert torch.equal(moves.nearest(plan.actions), plan.actions)
    assert (
        CategoricalCEMConfig(horizon=6, iterations=6)
        .build()
        .plan(objective, moves, seeded())
        .cost.item()
        == 0.0
    )


@pytest.mark.parametrize(
    "actions", [torch.zeros(1, 2), torch.zeros(2, 2), torch.full((2, 1), torch.nan)]
)
def test_impossible_choices_are_refused(actions):
    with pytest.raises(InputError, match="choices: expected"):
        Choices(actions)


class Slow:
    """An objective that takes so long for a whole population."""

    def __init__(self, seconds, population):
        self.pace, self.asked = seconds / population, 0

    def __call__(self, actions):
        self.asked += actions.shape[1]
        time.sleep(self.pace * actions.shape[1])
        return (actions - 0.3).square().sum((2, 3))


@pytest.mark.parametrize("planner", [CEMConfig, MPPIConfig, RandomShootingConfig, GradientConfig])
def test_a_deadline_splits_the_population(planner):
    """Roughly, as the machine may be busy; `bench/deadlines.py` measures the overrun."""
    objective = Slow(1.0, 80)
    plan = planner().build().plan(objective, UNIT, seeded(), seconds=0.2)
    assert 1 < plan.evaluations == objective.asked < 80
    assert plan.seconds < 0.4
    assert torch.isfinite(plan.cost).all()


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (ICEMConfig, {"decay": 0.5}, r"ICEMConfig.decay: expected at least 1, got 0.5"),
        (MPPIConfig, {"temperature": 0.0}, r"temperature: expected above 0 and finite, got 0.0"),
        (MPPIConfig, {"effective": 1.5}, r"effective: expected above 0 and at most 1, got 1.5"),
        (GradientConfig, {"steps": 0}, r"GradientConfig.steps: expected at least 1, got 0"),
        (GradientConfig, {"learning_rate": -1.0}, r"learning_rate: expected above 0"),
        (CEMGradientConfig, {"steps": 0}, r"steps: expected at least 1, got 0"),
        (LagrangianConfig, {"penalty": 0.0}, r"penalty: expected above 0 and finite, got 0.0"),
        (LagrangianConfig, {"growth": 0.5}, r"growth: expected at least 1 and finite, got 0.5"),
        (CategoricalCEMConfig, {"elites": 81}, r"elites: expected 1 to all 80 candidates, got 81"),
        (CategoricalCEMConfig, {"trust": 1.0}, r"trust: expected at least 0 and below 1, got 1.0"),
        (RandomShootingConfig, {"kept": 241}, r"kept: expected 1 to all 240 candidates, got 241"),
    ],
)
def test_options_out_of_range_are_refused(config, options, message):
    with pytest.raises(InputError, match=message):
        config(**options)


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.1])
def test_limits_are_heeded_within_a_deadline(seconds):
    class SlowWall(Walled):
        def with_excess(self, actions):
            time.sleep(1e-3 * actions.shape[1])
            return super().with_excess(actions)

    planner = LagrangianConfig(horizon=4).build()
    plan = planner.plan(SlowWall((0.0,)), UNIT, seeded(), seconds=seconds)
    assert plan.actions[..., 0].sum() <= 1e-6
