"""stable-worldmodel's side of the door: what its `World` knows, what its policy and solvers ask."""

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import pytest
import torch
from spots import SpotModel, positions, spot

from worldmodel.errors import InputError
from worldmodel.planners.categorical_cem import CategoricalCEMConfig
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cem_gradient import CEMGradientConfig
from worldmodel.planners.cost import Schedule
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.planners.planner import PlannerConfig
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.space import Bounds
from worldmodel.plugins.stable_worldmodel import Costable, CostModel, PlannerSolver

BOX = gym.spaces.Box(np.float32(-0.5), np.float32(0.5), (3, 2))
PLANNING = PlanningConfig(cost=GoalImageConfig(), schedule=Schedule(running=0.3))


@dataclass(frozen=True)
class Steps:
    """Like their `PlanConfig`."""

    horizon: int = 4
    receding_horizon: int = 1
    action_block: int = 1
    warm_start: bool = True


def known(here, goal):
    """What their `World` knows: pictures as bytes and one step of time, and other things."""
    pixels, goal = (
        (255 * spot(torch.as_tensor(where))).round().byte().movedim(-3, -1)[:, None]
        for where in (here, goal)
    )
    environments = len(pixels)
    return {
        "pixels": pixels,
        "goal": goal,
        "action": torch.full((environments, 1, 2), torch.nan),
        "terminated": torch.zeros(environments, 1, dtype=torch.bool),
        "reward": np.full((environments, 1), np.nan),
        "name": [["a"]] * environments,
    }


HERE, GOAL = (
    positions([5.0, 3.0], [12.0, 6.0], [4.0, 4.0]),
    positions([8.0, 5.0], [9.0, 8.0], [6, 7]),
)


CEM = CEMConfig()


def solver(
    planner: PlannerConfig = CEM,
    model: Costable | None = None,
    space: gym.Space = BOX,
    steps=Steps(),
    environments=3,
    **options,
):
    made = PlannerSolver(planner, model or CostModel(SpotModel(), PLANNING), **options)
    made.configure(action_space=space, n_envs=environments, config=steps)
    return made


class Recorder:
    """Like their `BestCostRecorder`."""

    output_key = "BestCostRecorder"

    def __init__(self):
        self.history, self.events = [], []

    def reset(self):
        self.history, self.events = [], ["reset"]

    def start_batch(self):
        self.events.append("batch")
        self.history.append([])

    def __call__(self, **state):
        assert state["candidates"].shape[:2] == state["costs"].shape
        self.history[-1].append((state["step"], state["costs"].min(dim=1).values))

    def end_solve(self):
        self.events.append("end")


class Squares:
    """A cost in numpy: how far each action of a block is from what `wanted` says of its place."""

    def __init__(self, wanted):
        self.wanted, self.infos = torch.as_tensor(wanted), []

    def get_cost(self, info_dict, action_candidates):
        assert info_dict["id"].shape[:2] == action_candidates.shape[:2]
        self.infos.append(info_dict)
        return (action_candidates - self.wanted).square().sum((2, 3))


# --- Our model as what their solvers minimise


def expanded(info, candidates):
    return {
        name: value.unsqueeze(1).expand(-1, candidates, *value.shape[1:])
        for name, value in info.items()
        if torch.is_tensor(value)
    }


def naive_costs(here, goal, actions, scales=(4, 16, 32), running=0.3):
    """The costs of `GoalImage` at each step, in numpy, of actions (S, T, 2)."""
    costs = np.zeros(len(actions))
    for row, sequence in enumerate(actions.numpy()):
        where = np.array(here)
        for t, action in enumerate(sequence):
            where = where + 10 * 0.9**t * action
            difference = (spot(torch.tensor(where)) - spot(torch.tensor(goal)))[0].double().numpy()
            total = 0.0
            for scale in scales:
                half = scale // 2
                framed = np.pad(difference, half)
                total += sum(
                    (framed[y : y + scale, x : x + scale].sum() / 2) ** 2
                    for y in range(0, 16 + 2 * half - scale + 1, half)
                    for x in range(0, 16 + 2 * half - scale + 1, half)
                )
            costs[row] += total * (1.0 if t == len(sequence) - 1 else running)
    return costs


@pytest.mark.parametrize("block", [1, 2])
def test_costs_are_those_of_the_imagined_pictures(block):
    actions = torch.rand(3, 5, 4, 2) - 0.5
    info = expanded(known(HERE, GOAL), 5)
    model = CostModel(SpotModel(), PLANNING)
    costs = model.get_cost(info, actions.reshape(3, 5, 4 // block, 2 * block))
    assert costs.shape == (3, 5)
    for row in range(3):
        expected = naive_costs(HERE[row].tolist(), GOAL[row].tolist(), actions[row])
        np.testing.assert_allclose(costs[row].detach().numpy(), expected, rtol=0.05)


def test_bytes_and_transformed_pictures_mean_the_same():
    actions = torch.rand(3, 5, 4, 2) - 0.5
    info = known(HERE, GOAL)
    scaled = {name: info[name].movedim(-1, -3) / 255 for name in ("pixels", "goal")}
    model = CostModel(SpotModel(), PLANNING)
    expected = model.get_cost(expanded(info, 5), actions)
    torch.testing.assert_close(model.get_cost(expanded(scaled, 5), actions), expected)
    torch.testing.assert_close(model.criterion(expanded(info, 5), actions), expected)


def test_gradients_flow_to_the_candidates_and_a_dictionary_serves_twice():
    actions = torch.zeros(3, 5, 4, 2, requires_grad=True)
    model, info = CostModel(SpotModel(), PLANNING), expanded(known(HERE, GOAL), 5)
    with torch.inference_mode():
        before = model.get_cost(info, actions.detach())
    costs = model.get_cost(info, actions)
    torch.testing.assert_close(costs.detach(), before.clone())
    costs.sum().backward()
    assert actions.grad is not None
    assert (actions.grad.abs().sum((2, 3)) > 0).all()


def test_what_does_not_fit_the_model_is_refused():
    model, actions = CostModel(SpotModel(), PLANNING), torch.zeros(3, 5, 4, 2)
    info = expanded(known(HERE, GOAL), 5)

    def refused(match, actions=actions, **changed):
        with pytest.raises(InputError, match=match):
            model.get_cost({**info, **changed}, actions)

    with pytest.raises(InputError, match="info: expected 'goal', got 'pixels'"):
        model.get_cost({"pixels": info["pixels"]}, actions)
    refused(
        r"expected shape \(E, S, H, block \* A\) with A = 2, got \(3, 5, 4, 3\)",
        actions=torch.zeros(3, 5, 4, 3),
    )
    refused("one step of time", pixels=info["pixels"].expand(-1, -1, 2, -1, -1, -1))
    refused(r"expects pictures of \(H, W, C\) = \(16, 16, 1\)", goal=info["goal"][..., :8, :])
    refused("a transform that does not normalise", goal=info["goal"].float() - 100)


# --- Our planners as their solvers


def test_their_policy_reaches_the_goals_with_a_plan_for_those_that_need_one():
    """Plan for blocks of two actions, carry one block out, start from the rest of the plan."""
    steps = Steps(horizon=3, action_block=2)
    every_step = CostModel(SpotModel(), PlanningConfig(schedule=Schedule(running=1.0)))
    made, here, rest = solver(CEM, every_step, steps=steps), HERE, None
    assert (made.n_envs, made.horizon, made.action_dim) == (3, 3, 4)
    for _ in range(4):
        outputs = made(known(here, GOAL), init_action=rest)
        assert outputs["actions"].shape == (3, 3, 4)
        assert len(outputs["costs"]) == 3
        plan, rest = outputs["actions"][:, :1], outputs["actions"][:, 1:]
        for t, action in enumerate(plan.reshape(3, 2, 2).unbind(1)):
            here = here + 10 * action * 0.9**t
    assert (here - GOAL).norm(dim=1).max() < 0.6
    some = {name: value[1:2] for name, value in known(here, GOAL).items()}
    few = made(some, init_action=torch.zeros(1, 2, 4))
    assert few["actions"].shape == (1, 3, 4)


def test_actions_keep_the_limits_of_the_environment():
    low, high = (np.array([limits] * 2, np.float32) for limits in ([-1, 0], [0.1, 2]))
    wide = gym.spaces.Box(low, high)
    wanted, info = torch.full((3,), 9.0).repeat(2, 1).ravel()[:4], {"id": torch.zeros(2, 1)}
    made = solver(model=Squares(wanted), space=wide, steps=Steps(action_block=2), environments=2)
    actions = made.solve(info)["actions"].reshape(2, 8, 2)
    assert (actions >= torch.tensor([-1.0, 0.0])).all()
    assert (actions <= torch.tensor([0.1, 2.0])).all()
    assert actions[..., 1].mean() > 1.2
    scaled = Bounds(torch.tensor([-3.0, -3.0]), torch.tensor([-2.0, -2.0]))
    made = solver(
        model=Squares(wanted),
        space=wide,
        environments=2,
        bounds=scaled,
        steps=Steps(action_block=2),
    )
    assert (made.solve(info)["actions"] <= -2).all()


def test_blocks_are_actions_in_a_row():
    """The optimum tells where each number of a block belongs."""
    wanted = torch.tensor([0.1, -0.2, 0.3, -0.4])
    made = solver(
        CEMConfig(candidates=300, iterations=12, elites=30),
        Squares(wanted),
        steps=Steps(horizon=2, action_block=2),
    )
    actions = made.solve({"id": torch.zeros(3, 1)})["actions"]
    torch.testing.assert_close(actions, wanted.expand(3, 2, 4), atol=0.05, rtol=0)


def test_the_seed_decides():
    info = known(HERE, GOAL)
    first, again, other = (solver(seed=seed) for seed in (0, 0, 1))
    torch.manual_seed(5)
    plan = first.solve(info)["actions"]
    torch.manual_seed(6)
    assert torch.equal(again.solve(info)["actions"], plan)
    assert torch.equal(again.solve(info)["actions"], first.solve(info)["actions"])
    assert not torch.equal(other.solve(info)["actions"], plan)


def test_environments_do_not_see_each_other():
    plan = solver().solve(known(HERE, GOAL))["actions"]
    moved = solver().solve(known(torch.cat([HERE[:2], HERE[2:] + 3]), GOAL))["actions"]
    torch.testing.assert_close(moved[:2], plan[:2])
    assert not torch.equal(moved[2], plan[2])


@pytest.mark.parametrize("size", [1, 2])
def test_batches_get_the_plans_that_all_get_together(size):
    whole, parts = solver(), solver(batch_size=size)
    for _ in range(2):
        expected, found = (each.solve(known(HERE, GOAL)) for each in (whole, parts))
        assert found["actions"].shape == (3, 4, 2)
        torch.testing.assert_close(found["actions"], expected["actions"])
        np.testing.assert_allclose(found["costs"], expected["costs"], rtol=1e-5)


def test_callbacks_see_every_evaluation():
    recorder = Recorder()
    made = solver(CEMConfig(iterations=3), callbacks=[recorder], batch_size=2)
    outputs = made.solve(known(HERE, GOAL))
    assert recorder.events == ["reset", "batch", "batch", "end"]
    assert [[step for step, _ in batch] for batch in recorder.history] == [[0, 1, 2]] * 2
    assert outputs["callbacks"] == {"BestCostRecorder": recorder.history}
    best = torch.stack([costs for _, costs in recorder.history[0]]).min(dim=0).values
    torch.testing.assert_close(torch.tensor(outputs["costs"][:2]), best)
    assert "callbacks" not in solver().solve(known(HERE, GOAL))


def test_a_warm_start_is_where_the_search_begins():
    """With next to no spread the plan is where it began, and the missing end no motion."""
    begun = torch.full((3, 2, 4), 0.2)
    narrow = CEMConfig(initial_std=1e-3, min_std=1e-4, candidates=20)
    made = solver(narrow, steps=Steps(horizon=3, action_block=2))
    actions = made.solve(known(HERE, GOAL), init_action=begun)["actions"]
    expected = torch.cat([begun, torch.zeros(3, 1, 4)], dim=1)
    torch.testing.assert_close(actions, expected, atol=0.01, rtol=0)
    again = solver(narrow, steps=Steps(horizon=3, action_block=2))
    assert torch.equal(again.solve(known(HERE, GOAL), begun.numpy())["actions"], actions)


def test_a_model_gets_a_dictionary_in_which_it_may_keep_things():
    model = Squares(torch.zeros(2))
    info = {"id": torch.arange(3)[:, None], "x": np.arange(3.0)[:, None], "name": ["a", "b", "c"]}
    solver(CEMConfig(candidates=8, iterations=2, elites=3), model).solve(info)
    first, second = model.infos
    assert first is second
    assert torch.equal(first["id"][:, :, 0], torch.arange(3)[:, None].expand(3, 8))
    np.testing.assert_array_equal(first["x"][:, :, 0], np.repeat([[0.0], [1.0], [2.0]], 8, axis=1))
    assert first["name"] == ["a", "b", "c"]
    assert set(info) == {"id", "x", "name"}


def test_gradients_serve_a_planner_that_follows_them():
    outputs = solver(CEMGradientConfig()).solve(known(HERE, GOAL))
    assert outputs["actions"].shape == (3, 4, 2)


@pytest.mark.parametrize(
    ("space", "first"),
    [
        (gym.spaces.Discrete(3), 0),
        (gym.spaces.Discrete(3, start=5), 5),
        (gym.spaces.MultiDiscrete([3, 3, 3], start=[2, 2, 2]), 2),
    ],
)
def test_discrete_actions_are_numbers(space, first):
    wanted = torch.eye(3)[[2, 0]].ravel()  # of a block of two the first is 2 and the second 0
    made = solver(CategoricalCEMConfig(), Squares(wanted), space, Steps(horizon=3, action_block=2))
    assert made.action_dim == 2
    outputs = made.solve({"id": torch.zeros(3, 1)})
    assert outputs["actions"].tolist() == [[[first + 2, first]] * 3] * 3
    again = made.solve({"id": torch.zeros(3, 1)}, init_action=outputs["actions"][:, 1:])
    assert torch.equal(again["actions"], outputs["actions"])


def test_mistakes_are_refused():
    made = PlannerSolver(CEM, CostModel(SpotModel()))
    with pytest.raises(InputError, match="expected `configure` before anything else"):
        made.solve(known(HERE, GOAL))
    with pytest.raises(InputError, match="batch_size: expected at least 1 environment, got 0"):
        PlannerSolver(CEM, CostModel(SpotModel()), batch_size=0)
    with pytest.raises(InputError, match=r"expected a Box of shape \(E, A\), a Discrete, or"):
        solver(space=gym.spaces.Text(3))
    with pytest.raises(InputError, match="expected a Box of shape"):
        solver(space=gym.spaces.MultiDiscrete([3, 4]))
    low = np.array([[-1, -1], [-1, -1], [-1, 0]], np.float32)
    with pytest.raises(InputError, match=r"same limits .* \[-1.0, -1.0\] to .* number 2$"):
        solver(space=gym.spaces.Box(low, np.ones((3, 2), np.float32)))
    whole = gym.spaces.Box(-3, 3, (3, 2), np.int64)
    for bounds in (None, Bounds(-torch.ones(2), torch.ones(2))):
        with pytest.raises(InputError, match=r"expected a Box of floats, .* got a Box of int64"):
            solver(space=whole, bounds=bounds)
    with pytest.raises(InputError, match="finite low < high"):
        solver(space=gym.spaces.Box(-np.inf, np.inf, (3, 2)))
    with pytest.raises(
        InputError, match=r"init_action: expected shape \(E, up to 4, 2\) with E = 3"
    ):
        solver().solve(known(HERE, GOAL), init_action=torch.zeros(3, 5, 2))


def test_what_is_known_must_be_known_of_each_environment():
    def refused(match, info):
        with pytest.raises(InputError, match=match):
            solver(model=Squares(torch.zeros(2))).solve(info)

    refused("info: expected what is known of each environment, got nothing", {})
    refused("an entry per environment in 'id', got 3", {"id": 3})
    refused("an entry per environment in 'id', got tensor", {"id": torch.tensor(3)})
    refused("1 to 3 environments, .* got 4 in 'id'$", {"id": torch.zeros(4, 1)})
    refused("1 to 3 environments, .* got 0 in 'id'$", {"id": torch.zeros(0, 1)})
    uneven = {"id": torch.zeros(3, 1), "name": ["a", "b"]}
    refused("as many in each, got 3 in 'id', 2 in 'name'$", uneven)


def test_limits_are_refused_where_nothing_keeps_them():
    limits = {"region-change": {"at_most": 0.02, "region": [0, 0, 0.2, 1]}}
    with pytest.raises(InputError, match=r"knows no limits, got region-change; give `penalties`"):
        CostModel(SpotModel(), PlanningConfig(limits=limits))
