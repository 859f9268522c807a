"""pytorch_mppi's side of the door: flat states, one step at a time."""

import pytest
import torch
from spots import SpotModel, place, positions, seeded, seeing, spot

from worldmodel.errors import InputError
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.planners.cost import Cost, Schedule
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.objective import objective
from worldmodel.plugins.pytorch_mppi import MPPIModel

HORIZON, CANDIDATES = 4, 30


def rollout(world, state, actions):
    """Total cost (K,) as pytorch_mppi adds it up, and all states (1, K, T, nx)."""
    state, total, states = state.expand(len(actions), -1), torch.zeros(len(actions)), []
    for t in range(actions.shape[1]):
        state = world.dynamics(state, actions[:, t])
        total = total + world.running_cost(state, actions[:, t])
        states.append(state)
    return total, torch.stack(states, dim=1)[None]


def mppi(world, state, mean, generator, temperature=1.0, samples=CANDIDATES):
    """Algorithm 2 of Williams et al. (2017), without its cost of the noise."""
    noise = 0.1 * torch.randn(samples, *mean.shape, generator=generator)
    actions = (mean + noise).clamp(-0.5, 0.5)
    costs, _ = rollout(world, state, actions)
    weights = torch.softmax(-costs / temperature, dim=0)
    return mean + torch.einsum("k,kta->ta", weights, actions - mean)


@pytest.mark.parametrize("schedule", [Schedule(), Schedule(running=0.3)])
def test_running_costs_add_up_to_our_objective(schedule):
    frame, goal = spot(positions([4.0, 4.0])), spot(positions([8.0, 8.0]))
    cost = GoalImage(goal) + 0.1 * ActionPenalty()
    actions = torch.rand(CANDIDATES, HORIZON, 2, generator=seeded()) - 0.5
    world = MPPIModel(SpotModel(), cost, HORIZON, schedule)
    costs, states = rollout(world, world.reset(frame), actions)
    assert states.shape == (1, CANDIDATES, HORIZON, world.nx)
    expected = objective(seeing(SpotModel(), frame), cost, schedule)(actions[None])[0]
    torch.testing.assert_close(costs, expected)


def test_a_recurrent_model_keeps_its_state_bit_for_bit():
    torch.manual_seed(0)
    model = PredRNNConfig(layers=2, hidden=4, kernel=3).build((3, 16, 16), 2).eval()
    frame, cost = torch.rand(1, 3, 16, 16), GoalImage(torch.rand(1, 3, 16, 16), scales=(1,))
    actions = torch.rand(5, HORIZON, 2) - 0.5
    world = MPPIModel(model, cost, HORIZON)
    costs, _ = rollout(world, world.reset(frame), actions)
    expected = objective(seeing(model, frame), cost)(actions[None])[0]
    torch.testing.assert_close(costs, expected, rtol=1e-6, atol=0)
    double, _ = rollout(world, world.reset(frame).double(), actions.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), costs, rtol=1e-5, atol=0)


def test_a_terminal_cost_in_the_place_of_the_last_running_one():
    frame, cost = spot(positions([4.0, 4.0])), GoalImage(spot(positions([8.0, 8.0])))
    actions = torch.rand(CANDIDATES, HORIZON, 2, generator=seeded()) - 0.5
    running = MPPIModel(SpotModel(), cost, HORIZON, Schedule(running=1.0, last=0.0))
    costs, states = rollout(running, running.reset(frame), actions)
    terminal = running.terminal_cost(states, actions[None])
    assert terminal.shape == (1, CANDIDATES)
    whole = MPPIModel(SpotModel(), cost, HORIZON, Schedule(running=1.0))
    torch.testing.assert_close(costs + terminal[0], rollout(whole, whole.reset(frame), actions)[0])


def test_mppi_reaches_a_goal_that_the_model_knows_the_way_to():
    here, goal = positions([5.0, 3.0]), positions([9.0, 6.0])
    world = MPPIModel(SpotModel(), GoalImage(spot(goal)), 3, Schedule(running=1.0))
    state, mean, generator = world.reset(spot(here)), torch.zeros(3, 2), seeded()
    for step in range(8):
        for _ in range(3):
            mean = mppi(world, state, mean, generator, temperature=0.1, samples=100)
        action = mean[0]
        here = here + 10 * 0.9**step * action
        state = world.observe(action, spot(here))
        mean = torch.cat([mean[1:], torch.zeros(1, 2)])
    assert (here - goal).norm() < 0.5


def test_several_environments_side_by_side():
    """As `MPPI_Batched` lays them out: environment 0's candidates come first."""
    frames, goals = spot(positions([4.0, 4.0], [9.0, 6.0])), spot(positions([8.0, 8.0], [5.0, 9.0]))
    actions = torch.rand(2, 7, HORIZON, 2, generator=seeded()) - 0.5
    world = MPPIModel(SpotModel(), GoalImage(goals), HORIZON)
    states = world.reset(frames)[:, None].expand(2, 7, world.nx).reshape(14, world.nx)
    costs, _ = rollout(world, states, actions.flatten(0, 1))
    expected = objective(seeing(SpotModel(), frames), GoalImage(goals))(actions)
    torch.testing.assert_close(costs.unflatten(0, (2, 7)), expected)


def test_the_cost_is_told_what_is_seen():
    class Watching(Cost):
        def __init__(self):
            self.seen = []

        def __call__(self, imagined):
            return imagined.action.sum(-1)

        def observe(self, action, frame):
            self.seen.append((action, place(frame)))

    cost = Watching()
    world = MPPIModel(SpotModel(), cost, HORIZON)
    world.reset(spot(positions([4.0, 4.0])))
    world.observe(torch.tensor([0.1, 0.2]), spot(positions([5.0, 6.0])))
    assert cost.seen[0][0] is None
    torch.testing.assert_close(cost.seen[1][0], torch.tensor([[0.1, 0.2]]))
    torch.testing.assert_close(cost.seen[1][1], positions([5.0, 6.0]), rtol=1e-4, atol=1e-4)


def test_mistakes_are_refused():
    with pytest.raises(InputError, match="horizon: expected at least 1 step, got 0"):
        MPPIModel(SpotModel(), ActionPenalty(), 0)
    world = MPPIModel(SpotModel(), ActionPenalty(), 2)
    with pytest.raises(InputError, match="expected `reset` with first frames"):
        world.observe(torch.zeros(2), spot(positions([4.0, 4.0])))
    with pytest.raises(InputError, match=r"expects \(C, H, W\) = \(1, 16, 16\)"):
        world.reset(torch.zeros(1, 3, 16, 16))
    state = world.reset(spot(positions([4.0, 4.0])))
    with pytest.raises(InputError, match="expected MPPI to imagine 2 steps, got more"):
        rollout(world, state, torch.zeros(1, 3, 2))
