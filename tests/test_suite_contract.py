"""What every task of every suite must hold to."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import numpy as np
import pytest
import torch

from worldmodel.envs import make
from worldmodel.envs.goal_env import Expert, GoalEnv, Proprioceptive
from worldmodel.envs.oracle import SimulatorForesight
from worldmodel.envs.suite import SUITES, TaskSpec
from worldmodel.errors import InputError
from worldmodel.frames import as_frames
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import Scene
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.space import Bounds, action_space_of

TASKS = [f"{suite}/{task}" for suite in SUITES for task in SUITES[suite].tasks]
SIZE = (48, 64)


@pytest.fixture(params=TASKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def env(name: str) -> Iterator[GoalEnv]:
    with closing(make(name, size=SIZE)) as env:
        yield env


def bounds_of(env: GoalEnv) -> Bounds:
    space = action_space_of(env.action_space)
    assert isinstance(space, Bounds)
    return space


def actions(env: GoalEnv, count: int) -> np.ndarray:
    space = bounds_of(env)
    low, high = space.low.numpy(), space.high.numpy()
    return np.random.default_rng(0).uniform(low, high, (count, len(low))).astype(np.float32)


def test_what_is_registered_fits(name: str, env: GoalEnv) -> None:
    suite = SUITES[name.partition("/")[0]]
    task = name.partition("/")[2]
    assert suite.steps(task) > 0
    assert suite.unit
    assert env.domain == suite.domains[0]
    assert len(env.action_names) == len(bounds_of(env).low)
    planning = suite.task(task).planning
    planning.agent(SimulatorForesight(env), bounds_of(env))
    env.reset(seed=0)
    goal = as_frames(env.goal_image)
    planning.aim(Scene(goal[:, None], goal))


def test_pictures_have_the_size_that_was_asked_for(env: GoalEnv) -> None:
    picture, info = env.reset(seed=0)
    stepped = env.step(actions(env, 1)[0])
    for seen in (picture, stepped[0], env.render(), env.goal_image):
        assert seen.shape == (*SIZE, 3)
        assert seen.dtype == np.uint8
    for known in (info, stepped[4]):
        assert known["success"] in (True, False)
        assert known["distance"] >= 0
    assert not info["success"]


def test_a_seed_decides_the_episode(env: GoalEnv) -> None:
    def episode(seed: int) -> np.ndarray:
        first, _ = env.reset(seed=seed)
        return np.stack([first, env.goal_image, *(env.step(a)[0] for a in actions(env, 3))])

    one, other, again = episode(3), episode(4), episode(3)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_a_saved_state_goes_on_bit_for_bit_and_keeps_the_goal(env: GoalEnv) -> None:
    env.reset(seed=1)
    env.advance(actions(env, 1)[0])
    saved, goal = env.save_state(), env.goal_image.copy()

    def future() -> list[tuple[np.ndarray, float]]:
        steps = (env.step(action) for action in actions(env, 4))
        return [(picture, info["distance"]) for picture, *_, info in steps]

    first = future()
    env.restore_state(saved)
    second = future()
    for (picture, distance), (picture_again, distance_again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(picture, picture_again)
        assert distance == distance_again
    np.testing.assert_array_equal(env.goal_image, goal)


def test_to_advance_is_to_step_without_drawing(env: GoalEnv) -> None:
    env.reset(seed=2)
    start = env.save_state()
    stepped = [env.step(action)[4] for action in actions(env, 3)]
    picture = env.render()
    env.restore_state(start)
    assert [env.advance(action) for action in actions(env, 3)] == stepped
    np.testing.assert_array_equal(env.render(), picture)


def test_every_domain_looks_different(name: str) -> None:
    suite, _, task = name.partition("/")
    pictures = []
    for domain in SUITES[suite].domains:
        with closing(SUITES[suite].make(task, domain, SIZE)) as env:
            pictures.append(env.reset(seed=0)[0].astype(float))
    for place, one in enumerate(pictures):
        assert all(np.abs(one - other).mean() > 5 for other in pictures[:place])


def test_policies_and_experts_keep_the_bounds(name: str, env: GoalEnv) -> None:
    bounds = bounds_of(env)
    env.reset(seed=0)
    chosen = [
        action
        for policy in SUITES[name.partition("/")[0]].policies.values()
        for action in islice(policy(env, np.random.default_rng(0)), 5)
    ]
    if isinstance(env, Expert):
        chosen.append(env.expert_action())
    for action in chosen:
        wanted = torch.from_numpy(np.asarray(action, np.float32))
        torch.testing.assert_close(bounds.nearest(wanted), wanted)


def test_the_robot_knows_its_state_within_bounds(env: GoalEnv) -> None:
    if not isinstance(env, Proprioceptive):
        return
    env.reset(seed=0)
    state = env.robot_state()
    assert state.shape == env.state_low.shape == env.state_high.shape == (len(env.state_names),)
    assert ((state >= env.state_low - 1e-3) & (state <= env.state_high + 1e-3)).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tabletop", "expected SUITE/TASK such as 'tabletop/reach'"),
        ("tabeltop/reach", "suite 'tabeltop' is unknown; did you mean tabletop"),
        ("tabletop/rech", "did you mean reach"),
    ],
)
def test_names_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(name)


def test_a_task_has_a_plan_for_every_effort_that_it_names() -> None:
    balanced, fast = PlanningConfig(), PlanningConfig(replan_every=4)
    task = TaskSpec("some/Task-v0", balanced, {"fast": fast})
    assert task.at("balanced") is balanced
    assert task.at("Fast") is fast
    with pytest.raises(InputError, match=r"effort for some/Task-v0 'best' is unknown; .*fast"):
        task.at("best")


@pytest.mark.parametrize("task", ["reach", "push"])
def test_less_effort_imagines_less(task: str) -> None:
    """Steps that are imagined for one action."""

    def steps(effort: str) -> float:
        planning = SUITES["tabletop"].task(task).at(effort)
        planner = planning.planner
        assert isinstance(planner, CEMConfig)
        evaluations = planner.candidates * planner.iterations
        return evaluations * planner.horizon / planning.replan_every

    assert steps("fast") < steps("balanced") < steps("best")


def test_an_environment_that_is_no_goal_env_is_refused() -> None:
    import gymnasium as gym

    from worldmodel.envs.suite import Suite, TaskSpec

    class Bare(gym.Env):
        metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012
        action_space = observation_space = gym.spaces.Box(-1, 1, (2,))

        def __init__(self, domain, size, render_mode) -> None:
            pass

    gym.register("toy/Bare-v0", Bare, max_episode_steps=3)  # pyright: ignore[reportArgumentType]
    suite = Suite("bare", {"do": TaskSpec("toy/Bare-v0")}, ("one",), "m")
    with pytest.raises(InputError, match="Bare lacks action_names, domain"):
        suite.make("do")
