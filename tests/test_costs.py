"""Costs against plain numpy."""

import itertools

import numpy as np
import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.planners.cost import EVERY_STEP, Scene, Schedule
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.disagreement import Disagreement, DisagreementConfig
from worldmodel.planners.costs.goal_image import GoalImage, GoalImageConfig
from worldmodel.planners.costs.goal_latent import GoalLatent, GoalLatentConfig
from worldmodel.planners.costs.region_change import RegionChange, RegionChangeConfig
from worldmodel.planners.costs.smoothness import Smoothness


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


def test_a_crop_leaves_the_rest_out(frames):
    goal, frame, action = frames
    scene = Scene(goal[:, None], goal)
    cost = GoalImageConfig((1,), crop=(0.25, 0.5, 1.0, 0.75)).build(scene)(step(frame, action))
    away = [(frame[i] - goal[i // 3]).numpy()[:, 4:, 16:24] for i in range(6)]
    np.testing.assert_allclose(cost, [(part**2).sum() for part in away], rtol=1e-5)


def test_only_what_start_and_goal_differ_in_counts_and_the_pixels_around():
    start, action = torch.zeros(2, 3, 16, 16), torch.zeros(2, 2)
    goal = start.clone()
    goal[0, 1, 5, 6], goal[1, 2, 0, 0] = 0.5, 0.5
    goal[:, :, 12, 12] = 0.04
    frame = torch.rand(2, 3, 16, 16)
    cost = GoalImageConfig((1,), changed=0.05, margin=1).build(Scene(goal[:, None], start))
    squared = (frame - goal).square().sum(1)
    expected = squared[0, 4:7, 5:8].sum(), squared[1, :2, :2].sum()
    torch.testing.assert_close(cost(step(frame, action)), torch.stack(expected))


def test_a_mask_weighs_the_difference_before_it_is_summed(frames):
    goal, frame, action = frames
    factors = torch.rand(2, 16, 32)
    cost = GoalImage(goal, (1, 8), mask=factors)(step(frame, action))
    away = [(frame[i] - goal[i // 3]) * factors[i // 3] for i in range(6)]
    expected = [(d.numpy() ** 2).sum() + windowed(d, 8) for d in away]
    np.testing.assert_allclose(cost, expected, rtol=1e-4)


def test_without_a_mask_and_with_one_of_all_pixels_it_is_the_same(frames):
    goal, frame, action = frames
    scene, seen = Scene(goal[:, None], goal), step(frame, action)
    plain = GoalImage(goal)(seen)
    assert torch.equal(GoalImageConfig().build(scene)(seen), plain)
    assert torch.equal(GoalImage(goal, mask=torch.ones(16, 32, dtype=torch.bool))(seen), plain)


def test_masks_that_keep_nothing_or_do_not_fit_are_refused(frames):
    goal, *_ = frames
    with pytest.raises(InputError, match="mask: expected one that keeps pixels in every env"):
        GoalImageConfig(changed=0.1).build(Scene(goal[:, None], goal))
    with pytest.raises(InputError, match="mask: expected one that keeps pixels"):
        GoalImage(goal, mask=torch.zeros(16, 32))
    with pytest.raises(InputError, match=r"\(16, 32\) or .* E = 2 .*, got \(3, 16, 32\)"):
        GoalImage(goal, mask=torch.ones(3, 16, 32))
    with pytest.raises(InputError, match="mask: expected finite factors of at least 0"):
        GoalImage(goal, mask=-torch.ones(16, 32))
    with pytest.raises(InputError, match=r"crop: expected top, left, bottom, right .*got"):
        GoalImageConfig(crop=(0.5, 0.0, 0.5, 1.0))
    with pytest.raises(InputError, match="crop: expected a rectangle that covers pixels of 16 x"):
        GoalImageConfig(crop=(0.5, 0.0, 0.51, 1.0)).build(Scene(goal[:, None], goal))
    with pytest.raises(InputError, match="changed: expected at least 0 and below 1, got 2"):
        GoalImageConfig(changed=2.0)


def test_a_change_in_the_region_costs_and_elsewhere_does_not(frames):
    start, frame, action = frames
    cost = RegionChange(start, (0.0, 0.0, 0.5, 1.0))
    away = [np.abs((frame[i] - start[i // 3]).numpy()[:, :8]).mean() for i in range(6)]
    np.testing.assert_allclose(cost(step(frame, action)), away, rtol=1e-5)
    elsewhere = start.clone()
    elsewhere[:, :, 8:] = 0.0
    assert not cost(step(elsewhere, action[:2])).any()


def test_smoothness_is_the_squared_change_also_from_the_last_executed_action():
    cost, actions = Smoothness(), torch.rand(6, 4, 5)
    seen = [Imagined(t, actions, None, frame=looked, latent=looked) for t in range(4)]
    assert not cost(seen[0]).any()
    change = np.square(np.diff(actions.numpy(), axis=1)).sum(-1)
    for t in (1, 2, 3):
        np.testing.assert_allclose(cost(seen[t]), change[:, t - 1], rtol=1e-5)
    executed = torch.rand(2, 5)
    cost.observe(executed, torch.zeros(2, 3, 16, 16))
    before = executed.numpy().repeat(3, axis=0)
    expected = np.square(actions[:, 0].numpy() - before).sum(-1)
    np.testing.assert_allclose(cost(seen[0]), expected, rtol=1e-5)
    cost.observe(None, torch.zeros(2, 3, 16, 16))
    assert not cost(seen[0]).any()


def test_disagreement_is_the_variance_between_members_summed_over_pixels():
    pictures = torch.rand(3, 4, 3, 8, 8)
    actions = torch.zeros(4, 1, 2)
    members = tuple(
        Imagined(0, actions, None, frame=lambda each=each: each, latent=looked) for each in pictures
    )
    seen = Imagined(0, actions, None, frame=looked, latent=looked, members=members)
    expected = pictures.numpy().var(axis=0).sum((1, 2, 3))
    np.testing.assert_allclose(Disagreement()(seen), expected, rtol=1e-5)


def test_disagreement_needs_an_ensemble(frames):
    goal, frame, action = frames
    one = ConvLSTMConfig(layers=1, hidden=4).build((3, 16, 32), 5)
    for models, came in ((), "a simulator"), ((one,), "1"):
        with pytest.raises(InputError, match=f"ensemble of at least two models, got {came}"):
            DisagreementConfig().build(Scene(goal[:, None], goal, models))
    DisagreementConfig().build(Scene(goal[:, None], goal, (one, one)))
    with pytest.raises(InputError, match="at least two models imagines, got 0 members"):
        Disagreement()(step(frame, action))


@pytest.fixture
def model():
    return ConvLSTMConfig(layers=2, hidden=4, kernel=3, patch=4).build((3, 16, 32), 5)


def settled(model, picture, steps):
    """What a model holds of a picture at rest, by the calls that an architecture has."""
    state = model.initial_state(len(picture))
    for _ in range(steps):
        _, state = model.step(picture, torch.zeros(len(picture), 5), state)
    return model.latent(state).detach()


@pytest.mark.parametrize(("settle", "pool"), [(1, 1), (2, 1), (3, 4)])
def test_goal_latents_are_those_of_a_model_that_looks_at_the_goal_at_rest(
    frames, model, settle, pool
):
    goal, _, action = frames
    cost = GoalLatentConfig(settle, pool).build(Scene(goal[:, None], goal, (model,)))
    latent = torch.rand(6, 4, 4, 8)
    seen = Imagined(0, action[:, None], None, frame=looked, latent=lambda: latent)
    away = latent.numpy() - settled(model, goal, settle).numpy().repeat(3, axis=0)
    pooled = away.reshape(6, 4, 4 // pool, pool, 8 // pool, pool).mean((3, 5))
    np.testing.assert_allclose(cost(seen), (pooled**2).mean((1, 2, 3)), rtol=1e-4)


def test_a_model_that_is_at_rest_in_the_goal_is_at_no_distance(frames, model):
    goal, *_ = frames
    cost = GoalLatentConfig().build(Scene(goal[:, None], goal, (model,)))
    held = settled(model, goal, 2)
    still = Imagined(0, torch.zeros(2, 1, 5), None, frame=looked, latent=lambda: held)
    torch.testing.assert_close(cost(still), torch.zeros(2))


def test_goal_latent_mistakes_are_refused(frames, model):
    goal, *_ = frames
    with pytest.raises(InputError, match="cost 'goal-latent': expected a learned model, got a sim"):
        GoalLatentConfig().build(Scene(goal[:, None], goal))
    with pytest.raises(InputError, match=r"pool: .*divides the latent's 4 x 8 positions, got 3"):
        GoalLatentConfig(pool=3).build(Scene(goal[:, None], goal, (model,)))
    with pytest.raises(InputError, match=r"GoalLatentConfig.settle: expected at least 1, got 0"):
        GoalLatentConfig(settle=0)
    with pytest.raises(InputError, match=r"expects \(C, H, W\) = \(3, 16, 32\)"):
        GoalLatentConfig().build(Scene(goal[:, None, :, :8], goal[:, :, :8], (model,)))


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: GoalImageConfig(scales=4), "scales: expected a list of sides .*, got 4"),  # pyright: ignore
        (lambda: GoalImageConfig(scales=("a",)), r"scales: expected a list .*, got \('a',\)"),  # pyright: ignore
        (lambda: GoalImageConfig(scales="12"), "scales: expected a list .*, got '12'"),  # pyright: ignore
        (lambda: GoalImage(torch.rand(1, 3, 16, 16), 4), "scales: expected a list .*, got 4"),  # pyright: ignore
        (lambda: GoalImageConfig(crop="x"), "crop: expected top, left, .*, got 'x'"),  # pyright: ignore
        (lambda: GoalImageConfig(crop="abcd"), "crop: expected top, left, .*, got 'abcd'"),  # pyright: ignore
        (lambda: GoalImageConfig(changed="x"), "changed: expected at least 0 .*, got 'x'"),  # pyright: ignore
        (lambda: GoalImageConfig(margin=1.5), r"margin: expected a whole number, got 1\.5"),  # pyright: ignore
        (lambda: RegionChangeConfig((0, 0, 1)), r"region: expected .*, got \(0, 0, 1\)"),  # pyright: ignore
        (lambda: RegionChangeConfig((0, 0, "a", 1)), r"region: expected .*, got \(0, 0, 'a', 1\)"),  # pyright: ignore
        (lambda: RegionChange(torch.rand(1, 3, 8, 8), 3), "region: expected .*, got 3"),  # pyright: ignore
        (lambda: GoalLatentConfig(settle=1.5), r"settle: expected a whole number, got 1\.5"),  # pyright: ignore
        (lambda: GoalLatentConfig(pool="x"), "pool: expected a whole number, got 'x'"),  # pyright: ignore
    ],
)
def test_options_of_another_type_are_refused(build, told):
    with pytest.raises(InputError, match=told):
        build()


def test_the_settling_of_a_latent_is_a_whole_number(model):
    with pytest.raises(InputError, match=r"settle: expected a whole number, got 1\.5"):
        GoalLatent(model, torch.rand(1, *model.frame_shape), settle=1.5)  # pyright: ignore[reportArgumentType]
