"""A world model as a TorchRL environment, against the project's own imagination."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
import torch
from spots import SpotModel, place, positions, spot
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn
from torchrl.envs import InitTracker, StepCounter, TransformedEnv
from torchrl.envs.utils import check_env_specs
from torchrl.modules import CEMPlanner, MPPIPlanner, ValueOperator
from torchrl.objectives.value import TDLambdaEstimator

from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.e3d_lstm import E3DLSTMConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.svg import SVGConfig
from worldmodel.planners.cost import LAST_STEP
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImage, GoalImageConfig
from worldmodel.planners.costs.region_change import RegionChangeConfig
from worldmodel.planners.foresight import ModelForesight
from worldmodel.planners.space import Bounds, Choices
from worldmodel.plugins.torchrl import WorldModelEnv
from worldmodel.rollout import begin, imagine, observe

SIZE = (3, 16, 16)
SMALL: dict[str, ModelConfig] = {
    "predrnn": PredRNNConfig(layers=2, hidden=4, kernel=3),
    "svg": SVGConfig(features=8, noise=2, hidden=8, width=4, halvings=2),
    "e3d-lstm": E3DLSTMConfig(layers=1, hidden=4),
}
BOUNDS = Bounds(torch.tensor([-1.0, -0.25]), torch.tensor([0.5, 1.0]))
COST = GoalImageConfig((4,))
STEPPED = ("pixels", "reward")
BATCHES = [(), (1,), (7,), (2, 3)]


@pytest.fixture(params=["predrnn", "svg"])
def model(request: pytest.FixtureRequest) -> WorldModel:
    return SMALL[request.param].build(SIZE, 2)


def pictures(*shape: int) -> Tensor:
    return torch.rand(*shape, *SIZE, generator=torch.Generator().manual_seed(1))


def actions(*shape: int) -> Tensor:
    share = torch.rand(*shape, 2, generator=torch.Generator().manual_seed(2))
    return torch.lerp(BOUNDS.low, BOUNDS.high, share)


def played(env: WorldModelEnv, start: TensorDictBase, taken: Tensor) -> TensorDictBase:
    """A rollout of given actions (..., T, A)."""
    return env.rollout(
        taken.shape[-2], actions=taken.unbind(-2), auto_reset=False, tensordict=start
    )


@pytest.mark.parametrize("batch", BATCHES)
def test_specs_hold_for_any_batch_size(model: WorldModel, batch: tuple[int, ...]) -> None:
    check_env_specs(WorldModelEnv(model, BOUNDS, COST, batch_size=batch), seed=0)


def test_specs_hold_without_a_goal() -> None:
    model = SMALL["predrnn"].build(SIZE, 2)
    check_env_specs(WorldModelEnv(model, BOUNDS, ActionPenalty(), batch_size=(2,)), seed=0)


def test_a_state_that_grows_has_a_spec() -> None:
    model = SMALL["e3d-lstm"].build(SIZE, 2)
    check_env_specs(WorldModelEnv(model, BOUNDS, COST, batch_size=(2,)), seed=0)


@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_a_rollout_is_what_the_model_imagines(model: WorldModel, batch: tuple[int, ...]) -> None:
    env = WorldModelEnv(model, BOUNDS, COST)
    start = {"pixels": pictures(*batch), "goal": pictures(*batch).flip(-1)}
    taken = actions(*batch, 3)
    rollout = played(env, env.reset(TensorDict(start, batch)), taken)
    assert rollout.batch_size == (*batch, 3)
    flat = taken.reshape(-1, 3, 2)
    cost = GoalImage(start["goal"].reshape(-1, *SIZE), (4,))
    state = begin(model, start["pixels"].reshape(-1, *SIZE))
    for t, step in enumerate(imagine(model, state, flat)):
        pixels, reward = (rollout["next", key].unbind(len(batch))[t] for key in STEPPED)
        torch.testing.assert_close(pixels.reshape(-1, *SIZE), step.state["frame"])
        torch.testing.assert_close(reward.reshape(-1), -cost(step))
    assert not rollout["next", "done"].any()


def test_a_finished_cost_of_several_goals_and_a_cost_of_the_entry_agree() -> None:
    model, goals = SMALL["predrnn"].build(SIZE, 2), pictures(2)
    finished = WorldModelEnv(model, BOUNDS, GoalImage(goals, (4,)))
    entry = WorldModelEnv(model, BOUNDS, COST)
    taken = actions(2, 3, 2)
    starts = {"pixels": pictures(2, 3), "goal": goals[:, None].expand(2, 3, *SIZE)}
    rewards = [
        played(env, env.reset(TensorDict(starts, [2, 3])), taken)["next", "reward"]
        for env in (finished, entry)
    ]
    torch.testing.assert_close(*rewards)
    assert "goal" not in finished.observation_spec


def test_the_start_is_that_of_the_own_episode() -> None:
    """Whatever else was stepped before or is beside it, and however far the episode has gone."""
    starts, taken = pictures(2), actions(3)
    cost = RegionChangeConfig((0.0, 0.0, 1.0, 1.0))

    def rewards(env: WorldModelEnv, start: Tensor) -> Tensor:
        batch = start.shape[:-3]
        begun = env.reset(TensorDict({"pixels": start}, batch))
        return played(env, begun, taken.expand(*batch, 3, 2))["next", "reward"]

    model = SMALL["predrnn"].build(SIZE, 2)
    alone = torch.stack([rewards(WorldModelEnv(model, BOUNDS, cost), start) for start in starts])
    for start, expected in zip(starts, alone, strict=True):
        state = begin(model, start[None])
        frames = [step.frame for step in imagine(model, state, taken[None])]
        change = torch.stack([(frame - start).abs().mean() for frame in frames])
        torch.testing.assert_close(expected[:, 0], -change)
    env = WorldModelEnv(model, BOUNDS, cost)
    torch.testing.assert_close(torch.stack([rewards(env, start) for start in starts]), alone)
    torch.testing.assert_close(rewards(env, starts), alone)


def test_a_real_frame_takes_the_place_of_the_imagined_one() -> None:
    model = SMALL["predrnn"].build(SIZE, 2)
    env = WorldModelEnv(model, BOUNDS, COST)
    seen, taken = pictures(3), actions(3)
    now = env.reset(TensorDict({"pixels": seen[0]}, []))
    for frame, action in zip(seen[1:], taken[:2], strict=True):
        now = env.step(now.set("action", action))["next"].set("pixels", frame)
    after = env.step(now.set("action", taken[2]))["next", "pixels"]
    expected = next(imagine(model, observe(model, seen[None], taken[None, :2]), taken[None, 2:]))
    torch.testing.assert_close(after, expected.state["frame"][0])


def test_seeds_decide_what_is_drawn() -> None:
    env = WorldModelEnv(SMALL["svg"].build(SIZE, 2), BOUNDS, COST, frame=pictures(1), drawn=True)
    taken = actions(3)

    def drawn(seed: int) -> Tensor:
        env.set_seed(seed)
        return played(env, env.reset(), taken)["next", "pixels"]

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_gradients_reach_actions_that_ask_for_them() -> None:
    start, goal = spot(positions([4.0, 4.0])), spot(positions([8.0, 6.0]))
    half = Bounds(torch.full((2,), -0.5), torch.full((2,), 0.5))
    env = WorldModelEnv(SpotModel(), half, GoalImage(goal, scales=(1,)), frame=start)
    taken = torch.zeros(2, requires_grad=True)
    env.step(env.reset().set("action", taken))["next", "reward"].backward()
    assert taken.grad is not None
    assert (taken.grad > 0).all()  # towards the goal, which has more of both coordinates
    assert not env.step(env.reset().set("action", torch.zeros(2)))["next", "reward"].requires_grad


@pytest.mark.parametrize("limit", [1e-3, 1.0])
def test_actions_keep_small_and_uneven_bounds(limit: float) -> None:
    bounds = Bounds(torch.tensor([-limit, -limit]), torch.tensor([limit, 3 * limit]))
    env = WorldModelEnv(SMALL["predrnn"].build(SIZE, 2), bounds, COST, batch_size=(5,))
    check_env_specs(env)
    drawn = env.rollout(8)["action"]
    assert (drawn >= bounds.low).all()
    assert (drawn <= bounds.high).all()
    assert drawn[..., 1].max() > 2 * limit
    planner = CEMPlanner(WorldModelEnv(env.model, bounds, COST), 2, 1, 8, 3)
    planned = planner(planner.env.reset())["action"]
    assert (planned >= bounds.low).all()
    assert (planned <= bounds.high).all()


def test_choices_are_one_hot() -> None:
    model = PredRNNConfig(layers=1, hidden=4, kernel=3).build(SIZE, 4)
    env = WorldModelEnv(model, Choices(torch.eye(4)), COST, batch_size=(5,))
    check_env_specs(env)
    assert (env.rollout(3)["action"].sum(-1) == 1).all()
    with pytest.raises(InputError, match="one-hot `Choices`, got other choices"):
        WorldModelEnv(model, Choices(2 * torch.eye(4)), COST)


def test_an_environment_can_be_transformed_and_moved() -> None:
    env = WorldModelEnv(SMALL["predrnn"].build(SIZE, 2), BOUNDS, COST, frame=pictures(1))
    counted = TransformedEnv(env, InitTracker())
    counted.append_transform(StepCounter(4))
    rollout = counted.rollout(9, break_when_any_done=False)
    assert rollout["is_init"].flatten().tolist() == [t % 4 == 0 for t in range(9)]
    torch.testing.assert_close(rollout[4]["pixels"], pictures(1)[0])
    moved = env.to("meta")
    assert moved.observation_spec["recurrent"].device == torch.device("meta")
    assert next(moved.model.parameters()).device.type == "meta"


def planners(env: WorldModelEnv) -> dict[str, nn.Module]:
    """TorchRL's own, of the same budget."""
    worthless = ValueOperator(Worthless(), in_keys=["pixels"])
    advantage = TDLambdaEstimator(gamma=1.0, lmbda=1.0, value_network=worthless)
    return {
        "cem": CEMPlanner(env, 3, optim_steps=4, num_candidates=40, top_k=6),
        "mppi": MPPIPlanner(env, advantage, 1.0, 3, optim_steps=4, num_candidates=40, top_k=6),
    }


class Worthless(nn.Module):
    """Values every picture at 0."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.new_zeros(*pixels.shape[:-3], 1)


@pytest.mark.parametrize("name", ["cem", "mppi"])
def test_planners_of_torchrl_beat_their_first_candidates(name: str) -> None:
    torch.manual_seed(3)
    start, goal = spot(positions([4.0, 4.0])), spot(positions([9.0, 2.0]))
    half = Bounds(torch.full((2,), -0.5), torch.full((2,), 0.5))
    env = WorldModelEnv(SpotModel(), half, 0.1 * GoalImage(goal, scales=(1,)), frame=start)
    chance = env.rollout(3, tensordict=TensorDict({}, [40]))["next", "reward"].sum((1, 2))
    planned = env.rollout(3, planners(env)[name])
    assert planned["next", "reward"].sum() > chance.max()
    way = (place(planned["next", "pixels"]) - positions([9.0, 2.0]) + 8) % 16 - 8  # on a torus
    assert way.norm(dim=-1)[-1] < 2 < (positions([4.0, 4.0]) - positions([9.0, 2.0])).norm()


def test_the_environment_and_foresight_agree_on_a_plan() -> None:
    model, goal = SMALL["predrnn"].build(SIZE, 2), pictures(2)
    foresight = ModelForesight(model)
    foresight.reset(goal.flip(-1))
    taken = actions(2, 4, 3)
    cost = LAST_STEP * GoalImage(goal, (4,))
    expected = torch.stack([cost(step) for step in foresight.imagine(taken)]).sum(0)
    env = WorldModelEnv(model, BOUNDS, GoalImage(goal, (4,)))
    start = env.reset(TensorDict({"pixels": goal.flip(-1)[:, None].expand(2, 4, *SIZE)}, [2, 4]))
    rewards = played(env, start, taken)["next", "reward"]
    torch.testing.assert_close(rewards[:, :, -1].reshape(-1), -expected)


def test_mistakes_are_refused() -> None:
    model = SMALL["predrnn"].build(SIZE, 2)
    one = Bounds(torch.zeros(1), torch.ones(1))
    with pytest.raises(InputError, match="this model expects width 2, got 1"):
        WorldModelEnv(model, one)
    with pytest.raises(InputError, match="frame: this model expects"):
        WorldModelEnv(model, BOUNDS, COST, frame=torch.zeros(1, 3, 8, 8))
    with pytest.raises(InputError, match="expected none beside a finished cost"):
        WorldModelEnv(model, BOUNDS, ActionPenalty(), goal=pictures(1))
    env = WorldModelEnv(model, BOUNDS, COST)
    with pytest.raises(InputError, match="pixels: expected floating-point frames"):
        env.reset(TensorDict({"pixels": torch.zeros(16, 16, 3, dtype=torch.uint8)}, []))
    for key, wrong in (("goal", 255 * pictures()), ("pixels", 255 * pictures())):
        with pytest.raises(InputError, match=rf"{key}: expected values in \[0, 1\], got .* to 25"):
            env.reset(TensorDict({key: wrong}, []))
        with pytest.raises(InputError, match=rf"{key}: expected values in .* got nan to nan"):
            env.reset(TensorDict({key: wrong * torch.nan}, []))
    with pytest.raises(InputError, match="this model expects width 2, got 3"):
        env.step(env.reset().set("action", torch.zeros(3)))


def test_arguments_of_other_kinds_are_refused() -> None:
    def refused(match: str, actions: Any = BOUNDS, cost: Any = COST, **options: Any) -> None:
        with pytest.raises(InputError, match=match):
            WorldModelEnv(SMALL["predrnn"].build(SIZE, 2), actions, cost, **options)

    refused("actions: expected `Bounds`, .* got Box", actions=gym.spaces.Box(-1, 1, (2,)))
    refused("actions: expected `Bounds`, .* got 'both'", actions="both")
    refused("cost: expected a `Cost`, .* got 'goal-image'", cost="goal-image")
    refused("cost: expected a `Cost`, .* got <class", cost=GoalImageConfig)
    refused("batch_size: expected whole numbers", batch_size=[-1])
    refused("batch_size: expected whole numbers", batch_size=0)
    refused("batch_size: expected whole numbers", batch_size=2.5)
    refused("batch_size: expected whole numbers", batch_size=[2.5])
    assert WorldModelEnv(SMALL["predrnn"].build(SIZE, 2), BOUNDS, batch_size=2).batch_size == (2,)
