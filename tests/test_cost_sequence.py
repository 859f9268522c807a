"""Sub-goals one after the other, for each environment at its own time."""

import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.costs.goal_sequence import GoalSequenceConfig

SUM = {"scales": [1]}
NO_ACTION = torch.zeros(2, 2)


def gray(*levels):
    """A picture of 8 x 8 pixels at each level. Shape (B, 1, 8, 8)."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, 1, 8, 8).contiguous()


def step(frame, horizon=3, t=0):
    actions = frame.new_zeros(len(frame), horizon, 2)
    return Imagined(t, actions, None, lambda: frame, lambda: frame)


def sequence(**options):
    """Two environments: from 0 over .4 and .6 to 1, and from 1 over .6 and .4 to 0."""
    ups = torch.stack([gray(0.4, 0.6), gray(0.6, 0.4), gray(1.0, 0.0)], dim=1)
    scene = Scene(ups, gray(0.0, 1.0))
    return GoalSequenceConfig(options=SUM, **options).build(scene), scene


def test_each_environment_switches_when_its_cost_has_fallen_far_enough():
    cost, scene = sequence(reached=0.25)
    frame = torch.rand(6, 1, 8, 8)

    def expected():
        goals = scene.goals[torch.arange(2), cost.current]
        return GoalImage(goals, (1,))(step(frame))

    torch.testing.assert_close(cost(step(frame)), GoalImage(scene.goals[:, 0], (1,))(step(frame)))
    for levels, current in (
        ((0.1, 0.9), [0, 0]),  # (.3 / .4)^2 is more than a quarter
        ((0.21, 0.9), [1, 0]),  # (.19 / .4)^2 is less: the first switches, .39 from .6
        ((0.3, 0.75), [1, 1]),
        ((0.42, 0.6), [2, 1]),
        ((0.9, 0.45), [2, 2]),
        ((1.0, 0.0), [2, 2]),  # the last stays
    ):
        cost.observe(NO_ACTION, gray(*levels))
        assert cost.current.tolist() == current
        torch.testing.assert_close(cost(step(frame)), expected())
    cost.observe(None, scene.start)
    assert cost.current.tolist() == [0, 0]


def test_patience_ends_what_is_not_reached():
    cost, scene = sequence(reached=None, patience=2)
    found = []
    for _ in range(6):
        cost.observe(NO_ACTION, scene.start)
        found.append(cost.current.tolist())
    assert found == [[0, 0], [1, 1], [1, 1], [2, 2], [2, 2], [2, 2]]


def test_pace_counts_key_frames():
    keys = torch.rand(1, 10, 1, 8, 8)
    cost = GoalSequenceConfig(options=SUM, pace=0.6).build(Scene(keys, torch.zeros(1, 1, 8, 8)))
    frame = torch.rand(4, 1, 8, 8)
    for now in range(15):
        index = min(9, int(0.6 * (now + 4)))
        expected = GoalImage(keys[:, index], (1,))(step(frame))
        torch.testing.assert_close(cost(step(frame, horizon=4, t=2)), expected)
        cost.observe(NO_ACTION[:1], frame[:1])


def test_one_goal_is_the_cost_itself():
    goal, frame = torch.rand(2, 1, 8, 8), torch.rand(6, 1, 8, 8)
    cost = GoalSequenceConfig(options=SUM).build(Scene(goal[:, None], torch.zeros(2, 1, 8, 8)))
    cost.observe(NO_ACTION, goal)
    assert torch.equal(cost(step(frame)), GoalImage(goal, (1,))(step(frame)))


def test_features_of_sub_goals_switch_by_time_only():
    model = ConvLSTMConfig(layers=1, hidden=4).build((1, 8, 8), 2)
    scene = Scene(torch.rand(1, 2, 1, 8, 8), torch.rand(1, 1, 8, 8), (model,))
    with pytest.raises(InputError, match="needs features; expected `patience` or `pace`"):
        GoalSequenceConfig("goal-latent").build(scene)
    GoalSequenceConfig("goal-latent", reached=None, patience=3).build(scene)


def test_mistakes_are_refused():
    with pytest.raises(InputError, match="cost 'goal-imag' is unknown; did you mean goal-image"):
        GoalSequenceConfig("goal-imag")
    with pytest.raises(InputError, match=r"goal-image: option 'scale' is unknown; .*mean scales"):
        GoalSequenceConfig(options={"scale": [1]})
    with pytest.raises(InputError, match="reached: expected at least 0 and below 1, got 1"):
        GoalSequenceConfig(reached=1.0)
    with pytest.raises(InputError, match=r"GoalSequenceConfig\.patience: expected at least 1"):
        GoalSequenceConfig(patience=0)
    with pytest.raises(InputError, match="pace: expected a finite number above 0, got 0"):
        GoalSequenceConfig(pace=0.0)
    with pytest.raises(InputError, match="expected reached, patience or pace, got none"):
        GoalSequenceConfig(reached=None)


def test_a_sequence_of_sequences_is_refused():
    within = {"of": {"goal-sequence": {"options": SUM}}}
    for of, options in (("goal-sequence", {}), ("Goal Sequence", {}), ("weighted-sum", within)):
        with pytest.raises(InputError, match="cost of a single sub-goal as `of`, got a goal-seq"):
            GoalSequenceConfig(of=of, options=options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"reached": "x"}, "reached: expected at least 0 and below 1, got 'x'"),
        ({"patience": 1.5}, r"patience: expected a whole number, got 1\.5"),
        ({"pace": "x"}, "pace: expected a finite number above 0, got 'x'"),
    ],
)
def test_what_is_no_number_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        GoalSequenceConfig(**options)
