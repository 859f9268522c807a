"""What every planner must hold to, whatever its name."""

import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.planners import PLANNERS
from worldmodel.planners.planner import Bounds, PlannerConfig

BOUNDS = Bounds(torch.tensor([-1.0, -0.05]), torch.tensor([1.0, 0.15]))


@pytest.fixture(params=list(PLANNERS))
def config(request: pytest.FixtureRequest) -> PlannerConfig:
    return PLANNERS[request.param](horizon=4)  # pyright: ignore[reportCallIssue]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Counted:
    """Squared distance to a point outside the bounds, that counts what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, actions):
        self.asked.append(actions)
        return (actions - 2.0).square().sum((2, 3))


def test_a_plan_keeps_bounds_shape_and_counts(config):
    objective = Counted()
    planner = config.build()
    plan = planner.plan(objective, BOUNDS, seeded(), environments=3)
    assert planner.horizon == 4
    assert plan.actions.shape == (3, 4, 2)
    assert plan.evaluations == sum(actions.shape[1] for actions in objective.asked)
    for actions in (plan.actions, *objective.asked):
        assert (actions >= BOUNDS.low).all()
        assert (actions <= BOUNDS.high).all()
    if plan.evaluations:
        best = objective(torch.cat(objective.asked, dim=1)).min(dim=1).values
        torch.testing.assert_close(plan.cost, best)
        torch.testing.assert_close(plan.cost, objective(plan.actions[:, None])[:, 0])
    else:
        assert plan.cost.isnan().all()


def test_the_generator_decides(config):
    def actions(seed):
        torch.manual_seed(seed + 1)  # the global source plays no part
        return config.build().plan(Counted(), BOUNDS, seeded(0)).actions

    assert torch.equal(actions(1), actions(2))


def test_a_plan_can_be_gone_on_with(config):
    planner = config.build()
    plan = planner.plan(Counted(), BOUNDS, seeded())
    again = planner.plan(Counted(), BOUNDS, seeded(1), previous=plan.shifted(2))
    assert again.actions.shape == plan.actions.shape
    assert not again.actions.requires_grad
    assert not again.actions.is_inference()


def test_a_deadline_that_has_passed_still_gives_a_plan(config):
    plan = config.build().plan(Counted(), BOUNDS, seeded(), seconds=0.0)
    assert torch.isfinite(plan.actions).all()


def test_infinite_costs_are_never_preferred(config):
    def objective(actions):
        costs = actions.square().sum((2, 3))
        return costs.masked_fill(actions[..., 0, 0] > 0, torch.inf)

    plan = config.build().plan(objective, BOUNDS, seeded())
    assert not plan.evaluations or torch.isfinite(plan.cost).all()


def test_a_horizon_of_nothing_is_refused(config):
    with pytest.raises(InputError, match="horizon: expected at least 1, got 0"):
        type(config)(horizon=0)
