"""The agent on a model that really knows its little world."""

import pytest
import torch
from spots import BOUNDS, SpotModel, frames_of, place, positions, seeded, seeing, spot

from worldmodel.errors import InputError
from worldmodel.planners.agent import VisualMPC
from worldmodel.planners.baselines import NullConfig, RandomConfig
from worldmodel.planners.cem import CEM, CEMConfig
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.foresight import ModelForesight
from worldmodel.planners.objective import objective
from worldmodel.rollout import imagine, observe


def test_objective_is_the_cost_of_the_imagined_frames():
    model = SpotModel()
    frame, goal = spot(positions([4.0, 4.0], [9.0, 6.0])), spot(positions([8.0, 8.0], [5.0, 9.0]))
    actions = torch.rand(2, 5, 3, 2, generator=seeded()) * 0.4 - 0.2
    costs = objective(seeing(model, frame), GoalImage(goal, scales=(1,)))(actions)
    strength = 10 * 0.9 ** torch.arange(3.0)
    end = place(frame)[:, None] + (actions * strength[:, None]).sum(2)
    expected = (spot(end) - goal[:, None]).square().sum((2, 3, 4))
    torch.testing.assert_close(costs, expected, rtol=1e-4, atol=1e-4)


def test_imagining_fewer_candidates_at_once_changes_nothing():
    model = SpotModel()
    foresight = seeing(model, spot(positions([4.0, 4.0], [9.0, 6.0])))
    cost = GoalImage(spot(positions([8.0, 8.0], [5.0, 9.0]))) + 0.1 * ActionPenalty()
    actions = torch.rand(2, 7, 3, 2, generator=seeded()) - 0.5
    together = objective(foresight, cost)(actions)
    assert model.batches == [14] * 3
    parts = objective(foresight, cost, at_once=3)(actions)
    assert model.batches[3:] == [6] * 6 + [2] * 3
    torch.testing.assert_close(parts, together)


def test_actions_of_another_width_are_refused():
    foresight = seeing(SpotModel(), spot(positions([4.0, 4.0])))
    with pytest.raises(InputError, match="expects width 2, got 5"):
        objective(foresight, ActionPenalty())(torch.zeros(1, 3, 2, 5))


def test_the_agent_reaches_the_goals_of_two_environments():
    goals = positions([11.0, 5.0], [6.0, 12.0])
    agent = VisualMPC(ModelForesight(SpotModel()), CEM(CEMConfig(horizon=3)), BOUNDS)
    agent.reset(GoalImage(spot(goals)), seeded())
    here = positions([5.0, 3.0], [12.0, 6.0])
    for step in range(8):
        action = agent.act(spot(here))
        assert action.shape == (2, 2)
        assert (action.abs() <= 0.5).all()
        here = here + 10 * 0.9**step * action
    around = (here - goals + 8) % 16 - 8  # the shorter way on the torus
    assert around.norm(dim=1).max() < 0.5


def test_each_frame_is_encoded_once():
    model = SpotModel()
    config = CEMConfig(horizon=3, candidates=20, iterations=2, elites=5)
    agent = VisualMPC(ModelForesight(model), CEM(config), BOUNDS, replan_every=2)
    agent.reset(GoalImage(spot(positions([11.0, 5.0]))), seeded())
    for _ in range(5):
        agent.act(spot(positions([4.0, 4.0])))
    plan, encode = [20] * 6, [1]
    assert model.batches == plan + encode + encode + plan + encode + encode + plan


def test_the_state_is_that_of_the_observed_frames_and_executed_actions():
    model = SpotModel()
    foresight = ModelForesight(model)
    agent = VisualMPC(foresight, RandomConfig(2).build(), BOUNDS)
    agent.reset(ActionPenalty(), seeded())
    frames = spot(torch.rand(4, 1, 2, generator=seeded(3)) * 8 + 4)
    actions = [agent.act(frame) for frame in frames]
    expected = observe(model, frames.movedim(0, 1), torch.stack(actions[:3], dim=1))
    future = torch.rand(1, 2, 2, generator=seeded(4)) - 0.5
    torch.testing.assert_close(
        frames_of(foresight.imagine(future[:, None])), frames_of(imagine(model, expected, future))
    )


def test_a_new_episode_forgets_the_last():
    def episode(agent):
        agent.reset(GoalImage(spot(positions([11.0, 5.0]))), seeded(7))
        return torch.stack([agent.act(spot(positions([4.0, 4.0]))) for _ in range(3)])

    agent = VisualMPC(ModelForesight(SpotModel()), CEM(), BOUNDS)
    assert torch.equal(episode(agent), episode(agent))


def test_a_plan_starts_from_the_shifted_last_one():
    agent = VisualMPC(ModelForesight(SpotModel()), CEM(CEMConfig(horizon=3)), BOUNDS)
    agent.reset(GoalImage(spot(positions([14.0, 8.0]))), seeded())
    here = positions([3.0, 8.0])
    costs = []
    for step in range(3):
        here = here + 10 * 0.9**step * agent.act(spot(here))
        costs.append(agent.plan.cost.item())
    assert costs[1] <= costs[0] * 1.05


def test_a_null_agent_rests():
    agent = VisualMPC(ModelForesight(SpotModel()), NullConfig(2).build(), BOUNDS)
    agent.reset(ActionPenalty(), seeded())
    assert not agent.act(spot(positions([4.0, 4.0]))).any()


def test_mistakes_are_refused():
    foresight = ModelForesight(SpotModel())
    with pytest.raises(InputError, match="1 to 12 actions of the horizon, got 13"):
        VisualMPC(foresight, CEM(), BOUNDS, replan_every=13)
    with pytest.raises(InputError, match="call `reset` with a goal before `act`"):
        VisualMPC(foresight, CEM(), BOUNDS).act(spot(positions([4.0, 4.0])))
    with pytest.raises(InputError, match="expected `reset` with a first frame"):
        next(foresight.imagine(torch.zeros(1, 1, 2, 2)))
