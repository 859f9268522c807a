"""What every cost must hold to, whatever its name."""

import costs_at_hand as hand
import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners import COSTS
from worldmodel.planners.cost import EVERY_STEP, CostConfig, Scene, Schedule
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.weighted_sum import configured

NEEDS_MODEL = ("goal-latent", "slot-bus", "disagreement")
OF_ACTIONS = ("action-penalty", "smoothness")
ALIKE = (*OF_ACTIONS, "disagreement", "slot-bus", "success-classifier")
"""The same in all environments."""

GOAL_FREE = (*ALIKE, "designated-pixel", "region-change")
PER_ENVIRONMENT = [name for name in COSTS if name not in ALIKE]


@pytest.fixture(scope="module")
def at_hand(tmp_path_factory: pytest.TempPathFactory) -> hand.Things:
    return hand.things(tmp_path_factory.mktemp("costs"))


@pytest.fixture(params=list(COSTS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(name: str, at_hand: hand.Things) -> CostConfig:
    return configured(name, hand.options_of(at_hand)[name])


@pytest.fixture
def scene(at_hand: hand.Things) -> Scene:
    return hand.scene(at_hand)


def costs_of(cost, at_hand, scene, actions):
    """The cost of every step. Shape (T, B)."""
    with torch.no_grad():
        return torch.stack([cost(step) for step in hand.future(at_hand, scene.start, actions)])


def test_one_finite_cost_of_at_least_0_per_future(config, at_hand, scene):
    cost = config.build(scene)
    for step in hand.future(at_hand, scene.start, hand.candidates()):
        with torch.no_grad():
            value = cost(step)
        assert value.shape == (6,)
        assert value.dtype == step.frame.dtype
        assert value.device == step.frame.device
        assert value.isfinite().all()
        assert (value >= 0).all()


def test_futures_are_told_apart(config, at_hand, scene):
    last = costs_of(config.build(scene), at_hand, scene, hand.candidates())[-1]
    assert len(last.unique()) == len(last)


def test_environments_do_not_see_each_other(config, at_hand, scene):
    actions = hand.candidates()
    together = costs_of(config.build(scene), at_hand, scene, actions)
    for index in range(3):
        own = hand.alone(scene, index)
        apart = costs_of(config.build(own), at_hand, own, actions[index : index + 1])
        torch.testing.assert_close(together[:, 2 * index : 2 * index + 2], apart)


def test_nothing_shown_is_changed(config, at_hand, scene):
    before = scene.start.clone(), scene.goals.clone()
    cost = config.build(scene)
    for step in hand.future(at_hand, scene.start, hand.candidates()):
        shown = hand.snapshot(step)
        cost(step)
        assert all(map(torch.equal, shown, hand.snapshot(step)))
    cost.observe(None, scene.start)
    assert torch.equal(scene.start, before[0])
    assert torch.equal(scene.goals, before[1])


def test_gradients_flow_to_the_actions(config, at_hand, scene):
    actions = hand.candidates().requires_grad_()
    cost = config.build(scene)
    total = sum(cost(step).sum() for step in hand.future(at_hand, scene.start, actions))
    assert isinstance(total, torch.Tensor)
    (gradient,) = torch.autograd.grad(total, actions)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1) != 0).any(1).all()


def test_costs_compose(config, at_hand, scene):
    actions = hand.candidates()
    own = costs_of(config.build(scene), at_hand, scene, actions)
    penalty = costs_of(ActionPenalty(), at_hand, scene, actions)
    both = costs_of(2.0 * config.build(scene) + ActionPenalty(), at_hand, scene, actions)
    torch.testing.assert_close(both, 2.0 * own + penalty)
    last = costs_of(Schedule() * config.build(scene), at_hand, scene, actions)
    assert not last[:-1].any()
    torch.testing.assert_close(last[-1], own[-1])
    every = costs_of(EVERY_STEP * config.build(scene), at_hand, scene, actions)
    torch.testing.assert_close(every, own)


def test_the_same_twice(config, at_hand, scene):
    values = []
    for seed in (0, 1):
        torch.manual_seed(seed)  # the global source plays no part
        values.append(costs_of(config.build(scene), at_hand, scene, hand.candidates()))
    assert torch.equal(*values)


def test_what_is_seen_is_taken_in_and_forgotten_with_a_new_episode(config, at_hand, scene):
    cost, actions = config.build(scene), hand.candidates()
    cost.observe(None, scene.start)
    first = costs_of(cost, at_hand, scene, actions)
    for seen in scene.goals.unbind(1):
        cost.observe(torch.full((3, 2), 0.5), seen)
        later = costs_of(cost, at_hand, scene, actions)
        assert later.isfinite().all()
    cost.observe(None, scene.start)
    assert torch.equal(costs_of(cost, at_hand, scene, actions), first)


def test_what_a_cost_needs_is_missed_at_construction(name, config, scene):
    simulated = Scene(scene.goals, scene.start)
    if name in NEEDS_MODEL:
        with pytest.raises(InputError, match=f"cost '{name}': expected .*got a simulator"):
            config.build(simulated)
    else:
        config.build(simulated)


@pytest.mark.parametrize("name", [name for name in PER_ENVIRONMENT if name != "goal-latent"])
def test_frames_of_another_size_are_refused(config, at_hand, scene):
    cost = config.build(scene)
    (step,) = hand.future(at_hand, scene.start, hand.candidates(horizon=1))
    narrow = step.frame[..., :16]
    seen = Imagined(0, step.actions, step.state, frame=lambda: narrow, latent=lambda: narrow)
    with pytest.raises(InputError, match=r"frame: expected .*3, 32, 32.*got .*3, 32, 16"):
        cost(seen)


@pytest.mark.parametrize("name", PER_ENVIRONMENT)
def test_a_batch_that_is_no_multiple_of_the_environments_is_refused(config, at_hand, scene):
    cost = config.build(scene)
    (step,) = hand.future(at_hand, scene.start[:1], hand.candidates(1, 4, 1))
    with pytest.raises(InputError, match=r"futures for each of its 3 environments, got .*4"):
        cost(step)


def test_the_goal_matters_where_it_should(name, config, at_hand, scene):
    other = Scene(scene.goals.flip(-1), scene.start, scene.models)
    here, there = (
        costs_of(config.build(each), at_hand, scene, hand.candidates()) for each in (scene, other)
    )
    assert torch.equal(here, there) == (name in GOAL_FREE)


def test_every_cost_is_at_hand(at_hand):
    assert set(hand.options_of(at_hand)) == set(COSTS)
