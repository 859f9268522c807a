"""Goal environments through TorchRL's door, and the agent as a policy in them."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from spots import SpotModel, spot
from tensordict import TensorDict
from torchrl.envs import EnvBase, SerialEnv
from torchrl.envs.utils import check_env_specs

import worldmodel
from worldmodel.envs.goal_env import GoalEnv
from worldmodel.errors import InputError
from worldmodel.planners.agent import VisualMPC
from worldmodel.planners.cem import CEM, CEMConfig
from worldmodel.planners.foresight import ModelForesight
from worldmodel.planners.planner import Planner
from worldmodel.planners.search import Search
from worldmodel.planners.space import Bounds
from worldmodel.plugins.torchrl import MPCPolicy, goal_env

EXAMPLE = Path(__file__).parent.parent / "examples" / "torchrl_policy.py"
HALF = Bounds(torch.full((2,), -0.5), torch.full((2,), 0.5))
SMALL = CEMConfig(horizon=3, candidates=20, iterations=2, elites=5)

collectors = pytest.mark.filterwarnings(
    "ignore:Creating .* which inherits from WeightUpdaterBase is deprecated:DeprecationWarning"
)


@pytest.fixture
def reach() -> Iterator[GoalEnv]:
    env = worldmodel.make("tabletop/reach")
    yield env
    env.close()


@pytest.fixture
def env(reach: GoalEnv) -> EnvBase:
    return goal_env(reach, steps=4)


def test_specs_hold(env: EnvBase) -> None:
    check_env_specs(env, seed=0)


def test_it_shows_what_the_goal_environment_shows(env: EnvBase, reach: GoalEnv) -> None:
    env.set_seed(3)
    taken = torch.rand(4, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rollout = env.rollout(9, actions=taken)
    reach.reset(seed=3)  # as `set_seed` does
    picture, info = reach.reset()
    for t in range(4):
        now = rollout[t]
        np.testing.assert_array_equal(now["pixels"], picture)
        np.testing.assert_array_equal(now["goal"], reach.goal_image)
        assert now["distance"].item() == pytest.approx(info["distance"])
        assert now["success"].item() == info["success"]
        picture, reward, _, _, info = reach.step(taken[t].numpy())
        assert now["next", "reward"].item() == pytest.approx(reward)
    np.testing.assert_array_equal(rollout[3]["next", "pixels"], picture)
    assert rollout["next", "truncated"].flatten().tolist() == [False] * 3 + [True]
    assert rollout["is_init"].flatten().tolist() == [True] + [False] * 3
    assert rollout["next", "success"].dtype == torch.bool


def test_other_environments_and_lengths_are_refused(reach: GoalEnv) -> None:
    with pytest.raises(InputError, match="expected a GoalEnv, int lacks"):
        goal_env(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="steps: expected at least 1 action, got 0"):
        goal_env(reach, steps=0)


class Recording(Planner):
    """Plans the numbers 0.1, 0.2 and so on, of each search anew."""

    def __init__(self) -> None:
        self.searches = 0

    horizon = 2  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def search(self, search: Search) -> tuple[torch.Tensor, torch.Tensor]:
        self.searches += 1
        return torch.full(search.shape, self.searches / 10), search.others


def seen(*batch: int, begins: bool | list[bool] = False) -> TensorDict:
    """Pictures as TorchRL's Gymnasium door shows them."""
    here = torch.tensor([4.0, 4.0]).expand(*batch, 2)
    pixels = (spot(here) * 255).to(torch.uint8).movedim(-3, -1)
    started = torch.tensor(begins).expand(batch).unsqueeze(-1)
    return TensorDict({"pixels": pixels, "goal": pixels.flip(-2), "is_init": started}, batch)


def test_the_agent_is_reset_where_an_episode_begins() -> None:
    model = SpotModel()
    policy = MPCPolicy(VisualMPC(ModelForesight(model), Recording(), HALF))
    for begins in (False, False, True, False):
        policy(seen(begins=begins))
    encoded = len(model.batches)
    assert encoded == 2  # the second and the fourth; the first of an episode has none before it
    action = policy(seen(2, begins=True))["action"]
    torch.testing.assert_close(action, torch.full((2, 2), 0.5))
    assert len(model.batches) == encoded


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
def test_it_acts_as_the_agent_does(batch: tuple[int, ...]) -> None:
    policy = MPCPolicy(VisualMPC(ModelForesight(SpotModel()), SMALL.build(), HALF), seed=4)
    agent = VisualMPC(ModelForesight(SpotModel()), SMALL.build(), HALF)
    generator = torch.Generator().manual_seed(6)
    here, there = (torch.rand(*batch, 2, generator=generator) * 16 for _ in range(2))
    frames, goal = spot(here).reshape(-1, 1, 16, 16), spot(there).reshape(-1, 1, 16, 16)
    agent.reset(goal, 4)
    for step in range(2):
        now = TensorDict({"pixels": spot(here), "goal": spot(there)}, batch)
        now["is_init"] = torch.full((*batch, 1), step == 0)
        action = policy(now)["action"]
        assert action.shape == (*batch, 2)
        torch.testing.assert_close(action.reshape(-1, 2), agent.act(frames))


def test_entries_of_other_names_are_read_and_written() -> None:
    agent = VisualMPC(ModelForesight(SpotModel()), SMALL.build(), HALF)
    policy = MPCPolicy(agent, ("camera", "front"), ("camera", "wanted"), ("arm", "action"))
    given = seen()
    now = TensorDict({"camera": {"front": given["pixels"], "wanted": given["goal"]}, "arm": {}}, [])
    assert policy(now)["arm", "action"].shape == (2,)
    assert policy.in_keys == [("camera", "front"), ("camera", "wanted")]


def test_what_does_not_fit_is_refused() -> None:
    policy = MPCPolicy(VisualMPC(ModelForesight(SpotModel()), SMALL.build(), HALF))
    policy(seen(2))
    with pytest.raises(InputError, match="expected all 2 environments to begin together, 1 do"):
        policy(seen(2, begins=[True, False]))
    with pytest.raises(InputError, match="policy: expected pictures in 'pixels', got NoneType"):
        policy(TensorDict({}, []))
    with pytest.raises(InputError, match="pixels: expected uint8 or floating-point pictures"):
        policy(TensorDict({"pixels": torch.zeros(16, 16), "goal": torch.zeros(16, 16)}, []))


def agent() -> VisualMPC:
    model = worldmodel.load("predrnn-v2-tabletop").model
    planner = CEM(CEMConfig(horizon=2, candidates=12, iterations=1))
    bounds = Bounds(-torch.ones(2), torch.ones(2))
    return VisualMPC(ModelForesight(model), planner, bounds)


@pytest.mark.slow
def test_environments_side_by_side_are_planned_for_together() -> None:
    env = SerialEnv(2, lambda: goal_env(worldmodel.make("tabletop/reach"), steps=3))
    env.set_seed(1)
    rollout = env.rollout(3, MPCPolicy(agent()))
    assert rollout["action"].shape == (2, 3, 2)
    assert not torch.equal(rollout["action"][0], rollout["action"][1])
    env.close()


@collectors
@pytest.mark.slow
def test_a_collector_collects_with_it(reach: GoalEnv) -> None:
    from torchrl.collectors import Collector

    collector = Collector(
        goal_env(reach, steps=3), MPCPolicy(agent()), frames_per_batch=5, total_frames=10
    )
    first, second = collector
    begun = torch.cat([first["is_init"], second["is_init"]]).flatten()
    assert begun.tolist() == [t % 3 == 0 for t in range(10)]
    collector.shutdown()


@pytest.mark.slow
def test_the_example_reaches_its_goal(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "success True" in capsys.readouterr().out
    assert len([line for line in EXAMPLE.read_text().splitlines() if line.strip()]) <= 20
