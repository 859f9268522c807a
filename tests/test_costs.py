"""Costs against plain numpy."""

import itertools

import numpy as np
import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import EVERY_STEP, Schedule
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImage


@pytest.fixture
def frames():
    """Goals (2, C, H, W), frames of 3 candidates each (6, C, H, W), actions (6, A)."""
    generator = torch.Generator().manual_seed(0)
    goal, frame = torch.rand(8, 3, 16, 32, generator=generator).split([2, 6])
    return goal, frame, torch.rand(6, 5, generator=generator)


def step(frame, action, t=0, horizon=1):
    actions = action[:, None].expand(-1, horizon, -1)
    return Imagined(t, actions, None, frame=lambda: frame, latent=looked)


def unseen(action, t, horizon):
    """A step whose pictures nobody may ask for."""
    actions = action[:, None].expand(-1, horizon, -1)
    return Imagined(t, actions, None, frame=looked, latent=looked)


def looked():
    raise AssertionError("looked")


def windowed(image, scale):
    """Squared sums over windows of scale x scale that start every half scale, a quarter each."""
    half = scale // 2
    padded = np.pad(image.numpy(), ((0, 0), (half, half), (half, half)))
    corners = itertools.product(*(range(0, n - half, half) for n in padded.shape[1:]))
    sums = [padded[:, y : y + scale, x : x + scale].sum((1, 2)) for y, x in corners]
    return (np.stack(sums) ** 2).sum() / 4


def test_scale_one_is_the_summed_squared_error_to_the_own_goal(frames):
    goal, frame, action = frames
    cost = GoalImage(goal, scales=(1,))(step(frame, action))
    expected = [((frame[i] - goal[i // 3]).numpy() ** 2).sum() for i in range(6)]
    np.testing.assert_allclose(cost, expected, rtol=1e-5)


def test_scales_add_squared_sums_over_overlapping_windows(frames):
    goal, frame, action = frames
    cost = GoalImage(goal, scales=(1, 2, 8))(step(frame, action))
    difference = [frame[i] - goal[i // 3] for i in range(6)]
    expected = [(d.numpy() ** 2).sum() + windowed(d, 2) + windowed(d, 8) for d in difference]
    np.testing.assert_allclose(cost, expected, rtol=1e-4)


def spot(column):
    image = torch.zeros(1, 1, 32, 32)
    image[..., 14:16, column : column + 2] = 1.0
    return image


def test_a_difference_costs_the_same_wherever_it_is():
    goal, action = torch.zeros(1, 1, 32, 32), torch.zeros(1, 2)
    for scale in (2, 8, 32):
        cost = GoalImage(goal, scales=(scale,))
        corner = torch.zeros(1, 1, 32, 32)
        corner[..., 0, 0] = 1.0
        moved = corner.roll((9, 17), (2, 3))
        assert cost(step(corner, action)) == cost(step(moved, action))


def test_coarse_scales_tell_near_from_far_where_fine_ones_cannot():
    action = torch.zeros(1, 2)
    fine, coarse = (GoalImage(spot(4), scales=scales) for scales in [(1,), (1, 16)])
    near, far = spot(9), spot(24)
    assert fine(step(near, action)) == fine(step(far, action))
    assert coarse(step(near, action)) < coarse(step(far, action))


@pytest.mark.parametrize("running", [0.0, 0.25])
def test_a_schedule_weighs_the_steps(frames, running):
    goal, frame, action = frames
    image = GoalImage(goal)
    scheduled = Schedule(running=running) * image
    full = image(step(frame, action))
    for t, weight in enumerate([running, running, running, 1.0]):
        torch.testing.assert_close(scheduled(step(frame, action, t, 4)), weight * full)


def test_a_step_that_does_not_count_is_not_looked_at(frames):
    goal, _, action = frames
    (Schedule() * GoalImage(goal) + 0.1 * ActionPenalty())(unseen(action, 1, 4))
    (EVERY_STEP * (0.0 * GoalImage(goal) + ActionPenalty()))(unseen(action, 3, 4))
    with pytest.raises(AssertionError, match="looked"):
        (Schedule() * GoalImage(goal))(unseen(action, 3, 4))


def test_action_penalty_and_weighted_sum(frames):
    goal, frame, action = frames
    image, penalty = GoalImage(goal), ActionPenalty()
    seen = step(frame, action, 3, 4)
    np.testing.assert_allclose(penalty(seen), (action.numpy() ** 2).sum(1), rtol=1e-6)
    both = 2.0 * image + 0.1 * penalty
    torch.testing.assert_close(both(seen), 2.0 * image(seen) + 0.1 * penalty(seen))


def test_mistakes_are_refused(frames):
    goal, frame, action = frames
    for scale in (0, 5, 6):
        with pytest.raises(InputError, match=rf"16 x 32 pixels, got \(1, {scale}\)"):
            GoalImage(goal, scales=(1, scale))
    with pytest.raises(InputError, match=r"got \(\)"):
        GoalImage(goal, scales=())
    with pytest.raises(InputError, match=r"\(E, C, H, W\), got .*\(3, 16, 32\)"):
        GoalImage(goal[0])
    with pytest.raises(InputError, match=r"Schedule.running: expected at least 0, got -1"):
        Schedule(running=-1)
    with pytest.raises(InputError, match=r"at least 0, got -0.5"):
        _ = -0.5 * ActionPenalty()
    with pytest.raises(
        InputError, match=r"\(3, 16, 32\) like the goal.* 2 env.*got \(5, 3, 16, 32\)"
    ):
        GoalImage(goal)(step(frame[:5], action[:5]))
