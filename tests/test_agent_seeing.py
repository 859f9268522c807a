"""The agent where pictures are goals, and where frames are missing, damaged, late or large."""

import gc
import resource

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
import torch
from spots import BOUNDS, SpotModel, positions, seeded, spot

from worldmodel.errors import InputError
from worldmodel.model import State
from worldmodel.planners.agent import Aim, VisualMPC
from worldmodel.planners.cem import CEM, CEMConfig
from worldmodel.planners.cost import Cost
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.foresight import EnsembleForesight, ModelForesight
from worldmodel.planners.goals import as_goals
from worldmodel.planners.gradient import GradientConfig
from worldmodel.planners.lagrangian import LagrangianConfig
from worldmodel.planners.memory import candidates_within
from worldmodel.planners.objective import Limit
from worldmodel.planners.space import Bounds, Choices

HERE, GOAL = positions([5.0, 3.0]), positions([11.0, 5.0])
SMALL = CEMConfig(horizon=3, candidates=20, iterations=2, elites=5)


def agent(model=None, **options):
    return VisualMPC(ModelForesight(model or SpotModel()), CEM(SMALL), BOUNDS, **options)


def as_bytes(frame):
    return (frame[0].movedim(0, -1) * 255).round().byte().numpy()


def test_a_goal_is_a_path_an_array_a_tensor_or_several(tmp_path):
    picture = as_bytes(spot(GOAL))
    iio.imwrite(tmp_path / "goal.png", picture[..., 0])
    tensor = torch.from_numpy(picture).movedim(-1, 0)[None] / 255
    for goal in (tmp_path / "goal.png", str(tmp_path / "goal.png"), picture, tensor):
        torch.testing.assert_close(as_goals(goal, channels=1), tensor[:, None])
    both = torch.stack([tensor, tensor], dim=1)
    for goals in ([picture, tmp_path / "goal.png"], np.stack([picture, picture]), both):
        torch.testing.assert_close(as_goals(goals, channels=1), both)


def test_a_picture_as_goal_is_reached():
    mpc = agent()
    mpc.reset(as_bytes(spot(GOAL)), 0)
    here = HERE
    for step in range(8):
        here = here + 10 * 0.9**step * mpc.act(spot(here))
    assert (here - GOAL).norm() < 0.5


def test_what_is_no_goal_is_refused(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    mpc = agent()
    for goal, message in [
        (np.zeros((20, 20, 1), np.uint8), r"goal: expected .* \(1, 16, 16\).*got \(1, 20, 20\)"),
        (torch.zeros(1, 3, 16, 16), r"goal: expected .* \(1, 16, 16\).*got \(3, 16, 16\)"),
        (tmp_path / "nothing.png", "goal: expected a picture in .*nothing.png"),
        (tmp_path / "broken.png", "goal: expected a picture in .*broken.png"),
        (torch.full((1, 1, 16, 16), torch.nan), r"expected values in \[0, 1\], got nan"),
        ([], "goal: expected a picture"),
        (7, "goal: expected a picture"),
    ]:
        with pytest.raises(InputError, match=message):
            mpc.reset(goal)


class Missing:
    """Worlds in which the hand moves as the model says; frames may be missing on the way."""

    def __init__(self, mpc, steps, broken):
        mpc.reset(GoalImage(spot(GOAL)), seeded())
        here, self.actions = HERE, []
        for step in range(steps):
            seen = broken(step, spot(here))
            action = mpc.act(**seen) if isinstance(seen, dict) else mpc.act(seen)
            self.actions.append(action)
            here = here + 10 * 0.9**step * action
        self.here = here


FAULTS = {
    "none": lambda frame: None,
    "nan": lambda frame: frame.where(frame > 0.5, torch.nan),
    "size": lambda frame: frame[..., :8],
    "range": lambda frame: 255 * frame,
    "type": lambda frame: (255 * frame).byte(),
    "late": lambda frame: {"seen": frame, "age": 0.3},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_missing_frame_is_replaced_by_what_was_foreseen(fault):
    mpc = agent(replan_every=3, late_after=0.1)
    seen = Missing(mpc, 8, lambda _, frame: frame)
    blind = Missing(mpc, 8, lambda step, frame: fault(frame) if step in (1, 4) else frame)
    torch.testing.assert_close(torch.cat(blind.actions), torch.cat(seen.actions))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_after_too_many_missing_frames_the_agent_stops_and_says_why(fault):
    mpc = agent(blind_steps=2, late_after=0.1)
    with pytest.raises(InputError, match=r"agent: 3 frames in a row are missing.*at most 2.*last"):
        Missing(mpc, 8, lambda step, frame: fault(frame) if step >= 2 else frame)
    with pytest.raises(InputError, match="frames in a row are missing"):
        mpc.act(None)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_without_a_first_frame_there_is_nothing_to_follow(fault):
    mpc = agent(late_after=0.1)
    with pytest.raises(InputError, match=r"agent: (frames: |frame: )?expected"):
        Missing(mpc, 1, lambda _, frame: fault(frame))


def test_one_blind_environment_follows_its_plan_while_the_other_plans():
    mpc = agent()
    mpc.reset(GoalImage(spot(torch.cat([GOAL, GOAL]))), seeded())
    frames = spot(torch.cat([HERE, HERE]))
    mpc.act(frames)
    planned = mpc.plan.actions
    half = frames.clone()
    half[1] = torch.nan
    action = mpc.act(half)
    torch.testing.assert_close(action[1], planned[1, 1])
    assert not torch.equal(action[0], planned[0, 1])


def test_actions_keep_their_form_where_a_picture_is_missing():
    mpc = agent()
    mpc.reset(as_bytes(spot(GOAL)))
    for seen in (as_bytes(spot(HERE)), None, as_bytes(spot(HERE))[:8]):
        action = mpc.act(seen)
        assert isinstance(action, np.ndarray)
        assert action.shape == (2,)


def test_an_action_is_held_for_as_many_steps_as_it_repeats():
    model = SpotModel()
    mpc = agent(model, action_repeat=3, replan_every=2)
    mpc.reset(GoalImage(spot(GOAL)), seeded())
    actions = [mpc.act(spot(HERE)) for _ in range(12)]
    for step in range(12):
        assert torch.equal(actions[step], actions[3 * (step // 3)])
    assert not torch.equal(actions[0], actions[3])
    assert model.batches.count(1) == 3  # frames that the model saw after the first


def test_latency_says_how_often_and_where_the_time_goes():
    mpc = agent()
    with pytest.raises(InputError, match="latency: expected at least one action before"):
        mpc.latency()
    Missing(mpc, 5, lambda _, frame: frame)
    latency = mpc.latency()
    assert latency.actions == 5
    assert latency.hz == pytest.approx(1 / latency.mean)
    assert 0 < latency.median <= latency.p95 <= latency.p99 <= latency.longest
    assert 0 < latency.outside < 1


def test_time_given_to_the_agent_covers_the_whole_action():
    class Slow(Cost):
        def __call__(self, imagined):
            torch.ones(1).item()
            return imagined.action.square().sum(-1)

    config = CEMConfig(horizon=3, candidates=1000, iterations=1000)
    mpc = VisualMPC(ModelForesight(SpotModel()), CEM(config), BOUNDS, seconds=0.2)
    mpc.reset(Slow())
    mpc.act(spot(HERE))
    assert mpc.latency().mean < 0.5
    assert 0 < mpc.plan.evaluations < 1_000_000


def test_limits_are_kept_by_the_planner_that_keeps_them():
    class Travelled(Cost):
        def __call__(self, imagined):
            return imagined.actions[:, : imagined.t + 1, 0].sum(-1)

    def aim(scene):
        return Aim(GoalImage(scene.goal), (Limit(Travelled(), 0.25),))

    foresight = ModelForesight(SpotModel())
    mpc = VisualMPC(foresight, LagrangianConfig(horizon=3).build(), BOUNDS, aim=aim)
    mpc.reset(spot(GOAL))
    mpc.act(spot(HERE))
    assert mpc.plan.actions[0, :, 0].cumsum(0).max() <= 0.25
    other = VisualMPC(foresight, CEM(SMALL), BOUNDS, aim=aim)
    other.reset(spot(GOAL))
    with pytest.raises(InputError, match="limits: CEM keeps none; the planner 'lagrangian' does"):
        other.act(spot(HERE))


def test_gradients_flow_through_the_agent_even_where_none_are_wanted():
    planner = GradientConfig(horizon=3).build()
    mpc = VisualMPC(ModelForesight(SpotModel()), planner, BOUNDS)
    mpc.reset(spot(GOAL))
    with torch.inference_mode():
        mpc.act(spot(HERE))
    assert mpc.plan.cost < 1.0


def test_an_ensemble_sees_the_average_of_its_members():
    strong, weak = SpotModel(), SpotModel()
    weak.grip.data.fill_(0.5)
    foresight = EnsembleForesight([strong, weak])
    foresight.reset(spot(HERE))
    actions = torch.rand(1, 3, 2, 2, generator=seeded()) - 0.5
    for step in foresight.imagine(actions):
        one, other = (member.frame for member in step.members)
        torch.testing.assert_close(step.frame, (one + other) / 2)
        assert not torch.allclose(one, other)
    with pytest.raises(InputError, match="ensemble: expected at least two models"):
        EnsembleForesight([strong])


@pytest.mark.parametrize("candidates", [3, 12])
def test_candidates_are_split_where_memory_is_short(candidates):
    model = SpotModel()
    foresight = ModelForesight(model)
    foresight.reset(spot(HERE))
    rest = torch.zeros(1, 2)
    each = 1 / candidates_within(1.0, foresight, rest)
    mpc = agent(model, megabytes=each * (candidates + 0.5))
    mpc.reset(GoalImage(spot(GOAL)))
    model.batches.clear()
    mpc.act(spot(HERE))
    assert max(model.batches) == candidates
    with pytest.raises(InputError, match="megabytes: expected at least"):
        candidates_within(1e-6, foresight, rest)


def test_memory_counts_a_tensor_as_often_as_there_are_candidates():
    class Heavy(SpotModel):
        def transition(self, frame, action, state):
            kept = torch.zeros(len(frame), 2_000_000)
            frame, state = super().transition(frame, action, state)
            return frame + kept[:, :1, None, None], state

    foresight = ModelForesight(Heavy())
    foresight.reset(spot(HERE))
    assert candidates_within(1000.0, foresight, torch.zeros(1, 2)) == pytest.approx(
        1000 / (8 * 2.5), rel=0.1
    )


def test_what_does_not_fit_is_refused_at_construction():
    foresight, planner = ModelForesight(SpotModel()), CEM(SMALL)
    box = gym.spaces.Box(-np.inf, np.inf, (2,))
    for actions, message in [
        (Bounds(-torch.ones(5), torch.ones(5)), "this model expects width 2, got 5"),
        (Choices(torch.eye(2)), "CEM: expected continuous actions, got discrete ones"),
        (box, "bounds: expected finite low < high"),
        (gym.spaces.MultiBinary(2), "expected a Box of shape .* or a Discrete, got MultiBinary"),
        (gym.spaces.Box(-1, 1, (2, 2)), "expected a Box of shape"),
    ]:
        with pytest.raises(InputError, match=message):
            VisualMPC(foresight, planner, actions)
    for options, message in [
        ({"replan_every": 4}, "replan_every: expected 1 to 3 actions"),
        ({"action_repeat": 0}, "action_repeat: expected at least 1, got 0"),
        ({"blind_steps": -1}, "blind_steps: expected at least 0, got -1"),
        ({"seconds": -1.0}, "seconds: expected at least 0, got -1.0"),
        ({"at_once": 0}, "at_once: expected at least 1, got 0"),
    ]:
        with pytest.raises(InputError, match=message):
            VisualMPC(foresight, planner, BOUNDS, **options)
    blind = SpotModel()
    blind.action_dim = 0
    with pytest.raises(InputError, match="trained without, it cannot be planned with"):
        VisualMPC(ModelForesight(blind), planner, BOUNDS)


@pytest.mark.parametrize(
    ("scale", "fits"), [(1.0, True), (5.0, True), (100.0, False), (57.3, False)]
)
def test_other_units_than_those_of_training_are_refused(scale, fits):
    model = SpotModel()
    model.set_action_statistics(torch.tensor([0.01, 0.0]), torch.tensor([0.3, 0.25]))
    bounds = Bounds(BOUNDS.low * scale, BOUNDS.high * scale)
    if fits:
        VisualMPC(ModelForesight(model), CEM(SMALL), bounds)
    else:
        with pytest.raises(InputError, match=r"actions: dimension 0 may be .*the same units"):
            VisualMPC(ModelForesight(model), CEM(SMALL), bounds)


@pytest.mark.slow
def test_a_long_life_needs_no_more_memory():
    brief = CEMConfig(horizon=2, candidates=4, iterations=1, elites=2, kept=1)
    mpc = VisualMPC(ModelForesight(SpotModel()), CEM(brief), BOUNDS)
    mpc.reset(GoalImage(spot(GOAL)))
    frame = spot(HERE)

    def alive():
        gc.collect()
        return sum(type(thing) in (torch.Tensor, State) for thing in gc.get_objects())

    for _ in range(20):
        mpc.act(frame)
    before = alive(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2000):
        mpc.act(frame)
    after = alive(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after[0] <= before[0]
    assert after[1] - before[1] < 5_000  # kB


def test_a_goal_of_16_bits_is_scaled(tmp_path):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    iio.imwrite(tmp_path / "deep.png", levels * 257)
    goal = as_goals(tmp_path / "deep.png", channels=1)
    np.testing.assert_allclose(goal[0, 0, 0], levels / 255, atol=1e-6)
    assert as_goals(tmp_path / "deep.png").shape == (1, 1, 3, 16, 16)


def test_a_goal_with_an_alpha_that_hides_nothing_is_taken(tmp_path):
    color = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    opaque = np.full((16, 16, 1), 255, np.uint8)
    iio.imwrite(tmp_path / "opaque.png", np.concatenate([color, opaque], -1))
    np.testing.assert_allclose(
        as_goals(tmp_path / "opaque.png")[0, 0], color.transpose(2, 0, 1) / 255, atol=1e-6
    )


def test_files_that_are_no_plain_picture_are_refused_by_name(tmp_path):
    half = np.full((16, 16, 4), 128, np.uint8)
    iio.imwrite(tmp_path / "half.png", half)
    moving = np.stack([np.full((16, 16), level, np.uint8) for level in (0, 99, 200)])
    iio.imwrite(tmp_path / "moving.gif", moving)
    iio.imwrite(tmp_path / "float.tiff", np.zeros((16, 16), np.float32))
    for goal, message in [
        (tmp_path / "half.png", r"goal: expected an opaque picture in .*half\.png, got a transp"),
        (
            tmp_path / "moving.gif",
            r"goal: expected a single picture in .*\.gif, got 3 frames",
        ),
        (tmp_path / "float.tiff", r"goal: expected 8 or 16 bits per channel in .*, got 32"),
        (tmp_path, r"goal: expected a picture in .*, cannot read it \(Is a directory\)"),
        ("", "goal: expected a picture's file, got an empty name"),
        ((tmp_path / "half.png").read_bytes(), r"goal: expected a picture \(a file.*got b'.x89PNG"),
        ([torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 8, 8)], r"\(1, 3, 8, 8\), \(2, 3, 8, 8\)"),
    ]:
        with pytest.raises(InputError, match=message):
            as_goals(goal)
    with pytest.raises(InputError, match="File name too long") as told:
        as_goals("x" * 5000)
    assert len(str(told.value)) < 250


def test_what_is_no_frame_is_told_in_short():
    mpc = agent()
    mpc.reset(spot(GOAL))
    with pytest.raises(InputError, match="expected an array of uint8") as told:
        mpc.act(as_bytes(spot(HERE)).tolist())  # pyright: ignore[reportArgumentType]
    assert len(str(told.value)) < 200
    with pytest.raises(InputError, match=r"expected at least one, got shape \(0, 1, 16, 16\)"):
        mpc.act(torch.zeros(0, 1, 16, 16))
