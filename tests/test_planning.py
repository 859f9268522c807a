"""How an agent plans, as options."""

import pytest
import torch
from spots import BOUNDS, SpotModel, positions, spot

from worldmodel.commands.plan import read
from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImage, GoalImageConfig
from worldmodel.planners.foresight import EnsembleForesight, ModelForesight
from worldmodel.planners.lagrangian import LagrangianConfig
from worldmodel.planners.planning import PlanningConfig

GOAL, START = spot(positions([11.0, 5.0])), spot(positions([5.0, 3.0]))
SCENE = Scene(GOAL[:, None], START, (SpotModel(),))
COST = GoalImageConfig((1, 4))


def steps(horizon=3):
    actions = torch.rand(1, horizon, 2) - 0.5
    for t in range(horizon):
        yield Imagined(t, actions, None, lambda: START, lambda: START)


def test_penalties_count_at_every_step_and_the_goal_at_the_last():
    aim = PlanningConfig(cost=COST, penalties={"action_penalty": 0.5}).aim(SCENE)
    goal, penalty = GoalImage(GOAL, (1, 4)), ActionPenalty()
    for step in steps():
        expected = 0.5 * penalty(step) + (goal(step) if step.t == 2 else 0.0)
        torch.testing.assert_close(aim.cost(step), expected)


def test_limits_are_costs_with_a_largest_value():
    limits = {"region-change": {"at_most": 0.02, "region": [0, 0, 0.5, 1]}}
    config = PlanningConfig(LagrangianConfig(horizon=3), COST, limits=limits)
    (limit,) = config.aim(SCENE).limits
    assert limit.at_most == 0.02
    assert limit.quantity(next(steps())).item() == 0.0
    agent = config.agent(ModelForesight(SpotModel()), BOUNDS)
    agent.reset(GOAL)
    agent.act(START)
    assert torch.isfinite(agent.plan.cost).all()


def test_from_the_command_line():
    config = read(
        [
            "predrnn-v2-tabletop",
            "--planning.planner=lagrangian",
            "--planning.cost=goal-image",
            "--planning.penalties={smoothness: 0.1, action-penalty: {weight: 2}}",
            "--planning.limits={region-change: {at_most: 0.1, region: [0, 0, 1, 0.5]}}",
        ]
    )
    assert config.planning is not None
    assert config.planning.penalties == {"smoothness": 0.1, "action-penalty": {"weight": 2}}
    assert config.planning.limits["region-change"]["at_most"] == 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalties": {"smothness": 1}}, "did you mean smoothness"),
        ({"penalties": {"smoothness": -1}}, "smoothness: expected a finite weight"),
        ({"limits": {"region-change": 0.5}}, "limits.region-change: expected options with a fin"),
        ({"limits": {"region-change": {"at_most": 1, "box": [0]}}}, "option 'box' is unknown"),
        ({"action_repeat": 0}, "action_repeat: expected at least 1, got 0"),
        ({"ensemble": "mode-rnn-tabletop"}, "ensemble: expected a list of checkpoints, got 'mode"),
        ({"megabytes": -1.0}, "megabytes: expected at least 0, got -1"),
    ],
)
def test_mistakes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        PlanningConfig(**options)


def test_limits_that_nobody_keeps_are_refused_before_the_episode():
    limits = {"region-change": {"at_most": 0.02, "region": [0, 0, 0.5, 1]}}
    with pytest.raises(InputError, match="limits: ICEM keeps none; the planner 'lagrangian' does"):
        PlanningConfig(cost=COST, limits=limits).agent(ModelForesight(SpotModel()), BOUNDS)


def test_an_ensemble_is_checkpoints_beside_the_model():
    with pytest.raises(InputError, match="ensemble: expected at least two models of the same"):
        PlanningConfig(ensemble=("predrnn-v2-tabletop",)).foresight(SpotModel())
    names = ("predrnn-v2-tabletop", "mode-rnn-tabletop")
    from worldmodel.checkpoint import load

    foresight = PlanningConfig(ensemble=names[1:]).foresight(load(names[0]).model)
    assert isinstance(foresight, EnsembleForesight)
    assert len(foresight.models) == 2
