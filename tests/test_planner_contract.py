"""What every planner must hold to, whatever its name."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.planners import PLANNERS
from worldmodel.planners.planner import PlannerConfig
from worldmodel.planners.space import Bounds, Choices

BOUNDS = Bounds(torch.tensor([-1.0, -0.05]), torch.tensor([1.0, 0.15]))
CHOICES = Choices(torch.eye(3))


@pytest.fixture(params=list(PLANNERS))
def config(request: pytest.FixtureRequest) -> PlannerConfig:
    return PLANNERS[request.param](horizon=4)  # pyright: ignore[reportCallIssue]


@pytest.fixture
def space(config):
    return BOUNDS if Bounds in config.build().spaces else CHOICES


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Counted:
    """Squared distance to a point outside the bounds, another per environment; counts calls."""

    def __init__(self, targets=(2.0,)):
        self.targets = torch.tensor(targets)[:, None, None, None]
        self.asked = []

    def __call__(self, actions):
        self.asked.append(actions.detach())
        return (actions - self.targets).square().sum((2, 3))


def assert_allowed(actions, space):
    if isinstance(space, Bounds):
        assert (actions >= space.low).all()
        assert (actions <= space.high).all()
    else:
        assert torch.equal(space.nearest(actions), actions)


def test_a_plan_keeps_its_space_and_shape_and_counts(config, space):
    objective = Counted()
    planner = config.build()
    plan = planner.plan(objective, space, seeded(), environments=3)
    assert planner.horizon == 4
    assert plan.actions.shape == (3, 4, space.width)
    assert plan.others.shape[0] == 3
    assert plan.others.shape[2:] == (4, space.width)
    assert plan.evaluations == sum(actions.shape[1] for actions in objective.asked)
    assert plan.dropped == 0
    for actions in (plan.actions, plan.others, *objective.asked):
        assert_allowed(actions, space)
    if plan.evaluations:
        best = objective(torch.cat(objective.asked, dim=1)).min(dim=1).values
        torch.testing.assert_close(plan.cost, best)
        torch.testing.assert_close(plan.cost, objective(plan.actions[:, None])[:, 0])
    else:
        assert plan.cost.isnan().all()


@pytest.mark.parametrize("seed", range(8))
def test_no_bounds_are_too_narrow_or_lopsided(config, space, seed):
    if isinstance(space, Choices):
        return
    random = np.random.default_rng(seed)
    low = torch.from_numpy(random.uniform(-2, 1, 3) * 10.0 ** random.integers(-3, 3, 3)).float()
    high = low + torch.from_numpy(10.0 ** random.uniform(-3, 2, 3)).float()
    objective = Counted()
    bounds = Bounds(low, high)
    plan = config.build().plan(objective, bounds, seeded(seed))
    for actions in (plan.actions, *objective.asked):
        assert_allowed(actions, bounds)


def test_the_generator_decides(config, space):
    def actions(seed):
        torch.manual_seed(seed + 1)  # the global source plays no part
        return config.build().plan(Counted(), space, seeded(0)).actions

    assert torch.equal(actions(1), actions(2))


def test_threads_do_not_decide(config, space):
    before = torch.get_num_threads()
    plans = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        plans.append(config.build().plan(Counted(), space, seeded(0)).actions)
    torch.set_num_threads(before)
    assert torch.equal(*plans)


def test_environments_together_are_planned_as_each_alone(config, space):
    targets = (2.0, 0.1, -0.3)
    together = config.build().plan(Counted(targets), space, seeded(), environments=3)
    if not together.evaluations:
        return  # a baseline draws for each environment anew
    for i, target in enumerate(targets):
        alone = config.build().plan(Counted((target,)), space, seeded())
        torch.testing.assert_close(together.actions[i], alone.actions[0])
        torch.testing.assert_close(together.cost[i], alone.cost[0])


def test_a_plan_can_be_gone_on_with(config, space):
    planner = config.build()
    plan = planner.plan(Counted(), space, seeded())
    again = planner.plan(Counted(), space, seeded(1), previous=plan.shifted(2))
    assert again.actions.shape == plan.actions.shape
    for actions in (plan.actions, again.actions, again.others):
        assert not actions.requires_grad
        assert not actions.is_inference()


def test_a_warm_start_is_never_made_worse(config, space):
    planner = config.build()
    first = planner.plan(Counted(), space, seeded())
    again = planner.plan(Counted(), space, seeded(1), previous=first)
    assert not first.evaluations or (again.cost <= first.cost).all()


def test_a_previous_plan_of_other_environments_is_refused(config, space):
    planner = config.build()
    plan = planner.plan(Counted(), space, seeded(), environments=2)
    with pytest.raises(InputError, match=r"previous plan: expected .*\(3, 4, .*got \(2, 4"):
        planner.plan(Counted(), space, seeded(), environments=3, previous=plan)


def test_a_deadline_that_has_passed_still_gives_a_plan(config, space):
    plan = config.build().plan(Counted(), space, seeded(), seconds=0.0)
    assert torch.isfinite(plan.actions).all()
    assert plan.evaluations <= 1


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_costs_that_are_not_finite_are_dropped_and_counted(config, space, broken):
    asked, lost = [], []

    def objective(actions):
        asked.append(actions)
        costs = actions.square().sum((2, 3))
        hit = actions[..., 0, 0] > 0.1
        lost.append(int(hit.sum()))
        return costs.masked_fill(hit, broken)

    plan = config.build().plan(objective, space, seeded())
    if plan.evaluations:
        assert torch.isfinite(plan.cost).all()
        assert not (plan.actions[:, 0, 0] > 0.1).any()
        assert plan.dropped == sum(lost)


def test_no_finite_cost_at_all_is_an_error_that_says_so(config, space):
    def objective(actions):
        return actions.square().sum((2, 3)) * torch.nan

    if config.build().plan(Counted(), space, seeded()).evaluations:
        with pytest.raises(InputError, match=r"none of .* candidates has one in environment 0, 1"):
            config.build().plan(objective, space, seeded(), environments=2)


def test_costs_of_another_shape_are_refused(config, space):
    if config.build().plan(Counted(), space, seeded()).evaluations:
        with pytest.raises(InputError, match=r"expected costs of shape \(E, N\) = \(1, "):
            config.build().plan(lambda actions: actions.sum(3), space, seeded())


def test_actions_of_another_kind_are_refused_by_name(config):
    planner = config.build()
    for space in (BOUNDS, CHOICES):
        if not isinstance(space, planner.spaces):
            name = type(planner).__name__
            with pytest.raises(
                InputError, match=f"{name}: expected .* actions, got .* the planner '"
            ):
                planner.plan(Counted(), space, seeded())


def test_a_horizon_of_nothing_is_refused(config):
    with pytest.raises(InputError, match="horizon: expected at least 1, got 0"):
        type(config)(horizon=0)


@pytest.mark.parametrize("costs", [None, 1.0, np.zeros((1, 80)), "costs"])
def test_costs_that_are_no_tensor_are_refused(config, space, costs):
    if config.build().plan(Counted(), space, seeded()).evaluations:
        with pytest.raises(InputError, match=r"expected costs of shape \(E, N\) .*as a tensor"):
            config.build().plan(lambda _: costs, space, seeded())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": math.nan}, "seconds: expected at least 0, or None, got nan"),
        ({"seconds": -1}, "seconds: expected at least 0, or None, got -1"),
        ({"seconds": "1"}, "seconds: expected at least 0, or None, got '1'"),
        ({"environments": 0}, "environments: expected at least 1, got 0"),
        ({"generator": 3}, "generator: expected a torch.Generator, got 3"),
        (
            {"space": gym.spaces.Box(-1, 1, (2,))},
            "Bounds or Choices, as `action_space_of`",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused(config, space, options, message):
    asked = {"objective": Counted(), "space": space, "generator": seeded()} | options
    with pytest.raises(InputError, match=message):
        config.build().plan(**asked)


@pytest.mark.parametrize("horizon", [2.5, "4", True])
def test_a_horizon_that_is_no_number_of_steps_is_refused(config, horizon):
    with pytest.raises(InputError, match="horizon: expected a whole number"):
        type(config)(horizon=horizon)
