"""Costs against plain numpy."""

import numpy as np
import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.planners.costs import ActionPenalty, GoalImage


@pytest.fixture
def frames():
    """Goals (2, C, H, W), frames of 3 candidates each (6, C, H, W), actions (6, A)."""
    generator = torch.Generator().manual_seed(0)
    goal, frame = torch.rand(8, 3, 16, 24, generator=generator).split([2, 6])
    return goal, frame, torch.rand(6, 5, generator=generator)


def pooled(image, scale):
    channels, height, width = image.shape
    blocks = image.reshape(channels, height // scale, scale, width // scale, scale)
    return blocks.mean((2, 4))


def test_scale_one_is_the_summed_squared_error_to_the_own_goal(frames):
    goal, frame, action = frames
    cost = GoalImage(goal, scales=(1,)).step(frame, action, 2, 3)
    expected = [((frame[i] - goal[i // 3]).numpy() ** 2).sum() for i in range(6)]
    np.testing.assert_allclose(cost, expected, rtol=1e-5)


def test_pyramid(frames):
    goal, frame, action = frames
    cost = GoalImage(goal, scales=(1, 2, 8)).step(frame, action, 2, 3)
    expected = [
        np.mean(
            [
                s * s * ((pooled(frame[i].numpy(), s) - pooled(goal[i // 3].numpy(), s)) ** 2).sum()
                for s in (1, 2, 8)
            ]
        )
        for i in range(6)
    ]
    np.testing.assert_allclose(cost, expected, rtol=1e-5)


def test_coarse_scales_tell_near_from_far_where_fine_ones_cannot():
    def spot(column):
        image = torch.zeros(1, 1, 32, 32)
        image[..., 12:16, column : column + 4] = 1.0
        return image

    action = torch.zeros(1, 2)
    fine, coarse = (GoalImage(spot(4), scales=scales) for scales in [(1,), (1, 16)])
    near, far = spot(9), spot(24)
    assert fine.step(near, action, 0, 1) == fine.step(far, action, 0, 1)
    assert coarse.step(near, action, 0, 1) < coarse.step(far, action, 0, 1)


def test_only_the_last_step_counts_unless_running_costs_are_asked_for(frames):
    goal, frame, action = frames
    last_only, running = GoalImage(goal), GoalImage(goal, running=0.25)
    assert [last_only.sees(t, 4) for t in range(4)] == [False, False, False, True]
    assert all(running.sees(t, 4) for t in range(4))
    assert not last_only.step(frame, action, 1, 4).any()
    full = last_only.step(frame, action, 3, 4)
    torch.testing.assert_close(running.step(frame, action, 3, 4), full)
    torch.testing.assert_close(running.step(frame, action, 1, 4), 0.25 * full)


def test_action_penalty_and_weighted_sum(frames):
    goal, frame, action = frames
    image, penalty = GoalImage(goal), ActionPenalty()
    np.testing.assert_allclose(
        penalty.step(frame, action, 0, 4), (action.numpy() ** 2).sum(1), rtol=1e-6
    )
    both = 2.0 * image + 0.1 * penalty
    expected = 2.0 * image.step(frame, action, 3, 4) + 0.1 * penalty.step(frame, action, 3, 4)
    torch.testing.assert_close(both.step(frame, action, 3, 4), expected)
    assert [both.sees(t, 4) for t in range(4)] == [False, False, False, True]
    assert not (0.0 * image + penalty).sees(3, 4)


def test_mistakes_are_refused(frames):
    goal, frame, action = frames
    with pytest.raises(InputError, match=r"16 x 24 pixels, got \(1, 5\)"):
        GoalImage(goal, scales=(1, 5))
    with pytest.raises(InputError, match=r"got \(\)"):
        GoalImage(goal, scales=())
    with pytest.raises(InputError, match=r"\(E, C, H, W\), got \(3, 16, 24\)"):
        GoalImage(goal[0])
    with pytest.raises(InputError, match=r"at least 0, got -1"):
        GoalImage(goal, running=-1)
    with pytest.raises(InputError, match=r"at least 0, got -0.5"):
        _ = -0.5 * ActionPenalty()
    with pytest.raises(InputError, match=r"multiple of 2 x \(3, 16, 24\).*got \(5, 3, 16, 24\)"):
        GoalImage(goal).step(frame[:5], action[:5], 0, 1)
