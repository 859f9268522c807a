"""Our planners as TorchRL's: in our model environment, in one of theirs, and as a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import pytest
import torch
from spots import SpotModel, place, positions, spot
from tensordict import TensorDict, TensorDictBase
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.data import Bounded, Composite, OneHot, Unbounded
from torchrl.envs import InitTracker, ModelBasedEnvBase, StepCounter, TransformedEnv
from torchrl.modules import WorldModelWrapper

from worldmodel.errors import InputError
from worldmodel.planners import PLANNERS
from worldmodel.planners.agent import VisualMPC
from worldmodel.planners.categorical_cem import CategoricalCEMConfig
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import EVERY_STEP, LAST_STEP
from worldmodel.planners.costs.goal_image import GoalImage, GoalImageConfig
from worldmodel.planners.foresight import ModelForesight
from worldmodel.planners.icem import ICEMConfig
from worldmodel.planners.planner import Planner, PlannerConfig
from worldmodel.planners.search import Search
from worldmodel.planners.space import Bounds
from worldmodel.plugins.torchrl import MPCPlanner, WorldModelEnv
from worldmodel.plugins.torchrl.planner import objective

BOUNDS = Bounds(torch.full((2,), -0.5), torch.full((2,), 0.5))
START, GOAL = positions([4.0, 4.0]), positions([9.0, 2.0])
SMALL = CEMConfig(horizon=3, candidates=40, elites=8)


def spot_env() -> WorldModelEnv:
    return WorldModelEnv(
        SpotModel(), BOUNDS, GoalImageConfig((1,)), frame=spot(START), goal=spot(GOAL)
    )


def distance(pixels: Tensor, goal: Tensor = GOAL) -> Tensor:
    """To the goal, on a torus of 16 pixels."""
    return ((place(pixels) - goal + 8) % 16 - 8).norm(dim=-1)


def present(*batch: int) -> TensorDictBase:
    """Spots all over the torus, with goals of their own."""
    generator = torch.Generator().manual_seed(5)
    here, there = torch.rand(2, *batch, 2, generator=generator) * 16
    return spot_env().reset(TensorDict({"pixels": spot(here), "goal": spot(there)}, batch))


class PointEnv(ModelBasedEnvBase):
    """One of theirs: a point at `where` that an action moves; it ends beyond 2."""

    def __init__(self, choices: int = 0) -> None:
        width = choices or 2
        module = TensorDictModule(Moves(), in_keys=["where", "action"], out_keys=["where", "done"])
        reward = TensorDictModule(Nearness(), in_keys=["where"], out_keys=["reward"])
        super().__init__(WorldModelWrapper(module, reward))
        self.observation_spec = Composite(where=Unbounded(torch.Size([2])))
        self.state_spec = Composite(where=Unbounded(torch.Size([2])))
        limit = torch.ones(2)
        self.action_spec = OneHot(width) if choices else Bounded(-limit, limit)
        self.reward_spec = Unbounded(1)

    def _reset(self, tensordict: TensorDictBase | None, **_: Any) -> TensorDictBase:
        batch = () if tensordict is None else tensordict.batch_size
        return TensorDict({"where": torch.zeros(*batch, 2)}, batch)

    def _set_seed(self, seed: int | None) -> None:
        pass


class Moves(nn.Module):
    """Adds an action; a choice of four goes right, left, up or down."""

    def forward(self, where: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        ways = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        moved = where + (action if action.shape[-1] == 2 else action.float() @ ways)
        return moved, moved.norm(dim=-1, keepdim=True) > 2


class Nearness(nn.Module):
    """Rewards being at (1, -1)."""

    def forward(self, where: Tensor) -> Tensor:
        return -(where - torch.tensor([1.0, -1.0])).norm(dim=-1, keepdim=True)


@dataclass(frozen=True)
class GridConfig(PlannerConfig):
    """Options of `Grid`."""

    def build(self) -> Grid:
        return Grid()


@final
class Grid(Planner):
    """Tries the same sequences always."""

    horizon = 3  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        steps = torch.linspace(-0.5, 0.5, 5)
        grid = torch.cartesian_prod(steps, steps)[:, None].expand(-1, 3, 2)
        search.costs(grid.expand(search.shape[0], -1, -1, -1))
        return search.best, search.others


def test_a_plan_is_that_of_the_agent() -> None:
    agent = VisualMPC(ModelForesight(SpotModel()), SMALL.build(), BOUNDS, schedule=EVERY_STEP)
    agent.reset(GoalImage(spot(GOAL), (1,)), 3)
    planner, env = MPCPlanner(spot_env(), SMALL.build(), seed=3), spot_env()
    now = env.reset()
    for _ in range(3):
        expected = agent.act(now["pixels"][None].clamp(0, 1))[0]
        now = planner(now)
        torch.testing.assert_close(now["action"], expected, atol=1e-3, rtol=1e-3)
        now = env.step_mdp(env.step(now))


def test_the_seed_decides() -> None:
    planner = MPCPlanner(spot_env(), SMALL.build(), seed=1)
    now = present(2)
    first = planner(now.clone())["action"]
    planner.reset(1)
    torch.manual_seed(99)  # the global source plays no part
    assert torch.equal(planner(now.clone())["action"], first)
    planner.reset(2)
    assert not torch.equal(planner(now.clone())["action"], first)


@pytest.mark.parametrize("name", [name for name in PLANNERS if name != "categorical-cem"])
def test_every_planner_plays_in_any_batch(name: str) -> None:
    config = PLANNERS[name](horizon=2)  # pyright: ignore[reportCallIssue]
    planner = MPCPlanner(spot_env(), config.build())
    for batch in ((), (2, 3)):
        with torch.no_grad():  # as collectors call a policy
            action = planner(present(*batch))["action"]
        assert action.shape == (*batch, 2)
        assert (action.abs() <= 0.5).all()
        assert not action.requires_grad


def test_the_spot_moves_to_its_goal() -> None:
    env = spot_env()
    rollout = env.rollout(3, MPCPlanner(env, SMALL.build()))
    assert distance(rollout["next", "pixels"])[-1] < 0.5 < distance(spot(START))


@pytest.mark.parametrize("config", [GridConfig(), ICEMConfig(horizon=3, candidates=20)])
def test_several_together_plan_as_each_alone(config: PlannerConfig) -> None:
    env, now = spot_env(), present(2, 3)
    together = MPCPlanner(env, config.build())
    alone = [MPCPlanner(env, config.build()) for _ in range(6)]
    for _ in range(2):
        now = together(now)
        each = [planner(one) for planner, one in zip(alone, now.clone().reshape(6), strict=True)]
        expected = torch.stack([one["action"] for one in each]).reshape(2, 3, 2)
        torch.testing.assert_close(now["action"], expected, atol=1e-3, rtol=1e-3)
        now = env.step_mdp(env.step(now))


def test_costs_are_minus_the_rewards_of_a_rollout() -> None:
    env, now = spot_env(), present(2)
    taken = torch.rand(2, 5, 3, 2, generator=torch.Generator().manual_seed(4)) - 0.5
    start = now.unsqueeze(1).expand(2, 5)
    rollout = env.rollout(3, actions=taken.unbind(2), auto_reset=False, tensordict=start)
    rewards = rollout["next", "reward"].squeeze(-1)
    for schedule, expected in ((EVERY_STEP, rewards.sum(2)), (LAST_STEP, rewards[:, :, 2])):
        costs = objective(env, now, schedule)(taken)
        torch.testing.assert_close(costs, -expected)
        torch.testing.assert_close(objective(env, now, schedule, at_once=2)(taken), costs)


class Remembering(Planner):
    """Plans nothing, and keeps where it was to start."""

    def __init__(self) -> None:
        self.starts: list[Tensor | None] = []

    horizon = 3  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        self.starts.append(search.start)
        share = torch.linspace(0.1, 0.3, 3)[:, None].expand(search.shape)
        return share.contiguous(), search.others


def test_a_plan_goes_on_until_an_episode_begins() -> None:
    uneven = Bounds(torch.full((2,), -0.5), torch.full((2,), 0.9))
    env = WorldModelEnv(SpotModel(), uneven, GoalImageConfig((1,)))
    searches = Remembering()
    planner = MPCPlanner(env, searches)
    now = present(2)
    planner(now)
    planner(now)
    planner(now.set("is_init", torch.tensor([[False], [True]])))
    planner(now.set("is_init", torch.tensor([[True], [True]])))
    planner(present())
    planner.reset()
    planner(present())
    shifted = torch.tensor([0.2, 0.3, 0.0])[:, None].expand(3, 2)
    first, second, third, fourth, *others = searches.starts
    assert first is fourth is None
    assert others == [None, None]
    assert second is not None
    assert third is not None
    torch.testing.assert_close(second, shifted.expand(2, 3, 2))
    torch.testing.assert_close(third[0], shifted)
    torch.testing.assert_close(third[1], torch.full((3, 2), 0.2))  # the middle of the bounds


def test_it_is_a_policy_of_transformed_environments_and_collectors() -> None:
    env = spot_env()
    counted = TransformedEnv(env, InitTracker())
    counted.append_transform(StepCounter(3))
    rollout = counted.rollout(6, MPCPlanner(env, SMALL.build()), break_when_any_done=False)
    assert rollout["is_init"].flatten().tolist() == [True, False, False] * 2
    for last in (2, 5):
        assert distance(rollout["next", "pixels"])[last] < 0.5


def test_it_plans_in_environments_of_others() -> None:
    env = PointEnv()
    rollout = env.rollout(3, MPCPlanner(env, CEMConfig(horizon=3).build()))
    assert (rollout["next", "where"][-1] - torch.tensor([1.0, -1.0])).norm() < 0.3


def test_rewards_after_the_end_do_not_count() -> None:
    env = PointEnv()
    out_and_back = torch.tensor([[3.0, 0.0], [-2.0, -1.0], [0.0, 0.0]]).expand(1, 1, 3, 2)
    cost = objective(env, env.reset(TensorDict({}, [1])))(out_and_back)
    assert cost.item() == pytest.approx((2**2 + 1) ** 0.5)


def test_choices_are_planned_too() -> None:
    env = PointEnv(choices=4)
    rollout = env.rollout(2, MPCPlanner(env, CategoricalCEMConfig(horizon=2).build()))
    assert rollout["action"].dtype == env.action_spec.dtype
    torch.testing.assert_close(rollout["next", "where"][-1], torch.tensor([1.0, -1.0]))


def test_mistakes_are_refused() -> None:
    batched = WorldModelEnv(SpotModel(), BOUNDS, GoalImageConfig((1,)), batch_size=(2,))
    with pytest.raises(InputError, match=r"of batch size \(\) .* got WorldModelEnv .* \(2,\)"):
        MPCPlanner(batched, SMALL.build())
    unlimited = PointEnv()
    unlimited.action_spec = Unbounded(torch.Size([2]))
    with pytest.raises(InputError, match="expected actions with limits, or one-hot ones, got Unbo"):
        MPCPlanner(unlimited, SMALL.build())
    with pytest.raises(InputError, match="CategoricalCEM: expected discrete actions"):
        MPCPlanner(spot_env(), CategoricalCEMConfig().build())
