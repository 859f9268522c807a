"""The policy in environments whose every rule the model knows."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from spots import SpotModel, positions, spot

from worldmodel.errors import InputError
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.planners.categorical_cem import CategoricalCEMConfig
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import Schedule
from worldmodel.planners.planning import PlanningConfig
from worldmodel.plugins.gymnasium import PixelPolicy

PICTURE = gym.spaces.Box(0, 255, (16, 16, 1), np.uint8)
FAST = CEMConfig(horizon=3, candidates=30, iterations=4, elites=6)
PLANNING = PlanningConfig(FAST, schedule=Schedule(running=0.3))
CHOOSING = PlanningConfig(CategoricalCEMConfig(horizon=3), replan_every=3)


class SpotEnv(gym.Env):
    """The world of `SpotModel`; an episode has as many steps as it is told."""

    render_mode = "rgb_array"
    observation_space = PICTURE

    def __init__(self, start=(5.0, 3.0), steps=8, actions=None):
        self.action_space = actions or gym.spaces.Box(-0.5, 0.5, (2,), np.float32)
        self.start, self.steps = start, steps

    def reset(self, *, seed=None, options=None):
        self.where, self.step_count = positions(self.start)[0], 0
        return self.seen(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        if isinstance(self.action_space, gym.spaces.Discrete):
            action = np.eye(2)[action - self.action_space.start]
        self.where = self.where + 10 * 0.9**self.step_count * torch.as_tensor(action)
        self.step_count += 1
        return self.seen(), 0.0, False, self.step_count == self.steps, {"where": self.where}

    def render(self):
        return picture(self.where)

    def seen(self) -> object:
        return self.render()


class Told(SpotEnv):
    """The picture is one of several things that are told."""

    observation_space = gym.spaces.Dict({"eye": PICTURE, "arm": gym.spaces.Box(-1, 1, (4,))})

    def seen(self):
        return {"eye": self.render(), "arm": np.zeros(4, np.float32)}


class Blind(SpotEnv):
    """Nothing is told; one must look."""

    observation_space = gym.spaces.Box(-1, 1, (4,))

    def seen(self):
        return np.zeros(4, np.float32)


def picture(where):
    return (255 * spot(torch.as_tensor(where).float())).round().byte().movedim(0, -1).numpy()


def played(env, policy, goal):
    observation, info = env.reset()
    policy.reset(goal)
    truncated = False
    while not truncated:
        observation, _, _, truncated, info = env.step(policy(observation, info))
    return info["where"]


@pytest.mark.parametrize("kind", [SpotEnv, Told, Blind])
def test_the_goal_is_reached_wherever_the_picture_is(kind):
    env = kind()
    policy = PixelPolicy(env, SpotModel(), PLANNING)
    for goal in ([11.0, 5.0], [8.0, 9.0]):
        assert (played(env, policy, picture(goal)) - torch.tensor(goal)).norm() < 0.6


def test_several_goals_are_passed_to_the_cost():
    env, goals = SpotEnv(), [picture([7.0, 3.0]), picture([9.0, 6.0])]
    end = played(env, PixelPolicy(env, SpotModel(), PLANNING), goals)
    assert (end - torch.tensor([9.0, 6.0])).norm() < 0.6


@pytest.mark.parametrize("first", [0, 4])
def test_discrete_actions_are_numbers_of_the_environment(first):
    """Down, to the right and down again, found among all eight ways."""
    env = SpotEnv(steps=3, actions=gym.spaces.Discrete(2, start=first))
    goal = torch.tensor([5.0 + 9.0, 3.0 + 10.0 + 8.1])
    end = played(env, PixelPolicy(env, SpotModel(), CHOOSING), picture(goal))
    torch.testing.assert_close(end.float(), goal, rtol=0, atol=1e-4)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_each_of_a_vector_begins_when_its_own_episode_does(mode):
    """Each environment gets the actions that it would get alone, episode after episode."""
    starts, lengths, goals = [(5.0, 3.0), (9.0, 9.0)], [3, 5], [[8.0, 5.0], [7.0, 6.0]]
    makers = [lambda i=i: SpotEnv(starts[i], lengths[i]) for i in range(2)]
    envs = SyncVectorEnv(makers, autoreset_mode=mode)
    policy = PixelPolicy(envs, SpotModel(), PLANNING, seed=3)
    observation, info = envs.reset()
    policy.reset([picture(goal) for goal in goals])
    ended = np.zeros(2, bool)
    taken = [[], []]
    for _ in range(9):
        begins = ended if mode == AutoresetMode.NEXT_STEP else np.zeros(2, bool)
        action = policy(observation, info, ended)
        assert envs.action_space.contains(action)
        for i in range(2):
            if not begins[i]:
                taken[i].append(action[i])
        observation, _, terminated, truncated, info = envs.step(action)
        ended = terminated | truncated
    for i in range(2):
        env = SpotEnv(starts[i], lengths[i])
        alone = PixelPolicy(env, SpotModel(), PLANNING, seed=3 + i)
        expected = []
        while len(expected) < len(taken[i]):
            seen, _ = env.reset()
            alone.reset(picture(goals[i]))
            over = False
            while not over:
                expected.append(alone(seen))
                seen, _, _, over, _ = env.step(expected[-1])
        np.testing.assert_array_equal(taken[i], expected[: len(taken[i])])


def test_the_goal_of_one_environment_can_change():
    envs = SyncVectorEnv([lambda: SpotEnv((9.0, 9.0), 99)] * 2)
    policy = PixelPolicy(envs, SpotModel(), PLANNING)
    observation, _ = envs.reset()
    policy.reset(picture([8.0, 5.0]))
    policy.reset(picture([8.0, 13.0]), environment=1)
    action = policy(observation)
    assert action[0, 1] < 0 < action[1, 1]


def test_vectors_of_choices_and_of_what_is_rendered():
    actions = gym.spaces.Discrete(2, start=4)
    envs = SyncVectorEnv([lambda: Blind(steps=3, actions=actions)] * 2)
    policy = PixelPolicy(envs, SpotModel(), CHOOSING)
    observation, _ = envs.reset()
    policy.reset([picture([15.0, 20.1]), picture([13.1, 22.0])])
    action = policy(observation)
    assert action.shape == (2,)
    assert envs.action_space.contains(action)
    assert action.tolist() == [4, 5]


def test_mistakes_are_refused():
    policy = PixelPolicy(SpotEnv(), SpotModel(), PLANNING)
    with pytest.raises(InputError, match="call `reset`"):
        policy(picture([5.0, 3.0]))
    with pytest.raises(InputError, match=r"like the model's frames, got \(3, 16, 16\)"):
        policy.reset(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(
        InputError, match="expected the key of one picture, got left; available: eye"
    ):
        PixelPolicy(Told(), SpotModel(), PLANNING, pixels="left")
    blind = Blind()
    blind.render_mode = "human"
    with pytest.raises(InputError, match=r"or render_mode='rgb_array', got Box.* and 'human'"):
        PixelPolicy(blind, SpotModel(), PLANNING)
    envs = SyncVectorEnv([SpotEnv] * 3)
    policy = PixelPolicy(envs, SpotModel(), PLANNING)
    with pytest.raises(InputError, match="expected one for each of 3, got 2"):
        policy.reset([picture([5.0, 3.0])] * 2)
    for number in (3, -1, "1"):
        with pytest.raises(
            InputError, match=f"environment: expected a number of 0 to 2, got {number!r}"
        ):
            policy.reset(picture([5.0, 3.0]), environment=number)  # pyright: ignore


@pytest.mark.parametrize("kind", [SpotEnv, Told])
def test_pictures_that_the_model_is_not_for_are_refused_at_once(kind):
    model = PredRNNConfig(layers=1, hidden=4, kernel=3).build((1, 24, 16), 2)
    with pytest.raises(InputError, match=r"\(H, W, C\) = \(24, 16, 1\), got \(16, 16, 1\)"):
        PixelPolicy(kind(), model, PLANNING)


@pytest.mark.parametrize(
    "actions",
    [
        gym.spaces.Box(-3, 3, (2,), np.int64),
        gym.spaces.Box(0, 1, (2,), np.uint8),
        gym.spaces.MultiDiscrete([2, 2]),
        gym.spaces.Discrete(1),
    ],
)
def test_actions_that_no_plan_can_hit_are_refused(actions):
    with pytest.raises(InputError, match=r"expected a Box of|expected at least two"):
        PixelPolicy(SpotEnv(actions=actions), SpotModel(), PLANNING)
