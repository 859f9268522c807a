"""The oracle, the episode and the planning benchmark, in the real simulator."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from worldmodel.envs import make
from worldmodel.envs.benchmark import RECORDS, BenchmarkConfig, benchmark
from worldmodel.envs.oracle import SimulatorForesight
from worldmodel.envs.scores import wilson_interval
from worldmodel.errors import InputError
from worldmodel.frames import as_frames
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import EVERY_STEP, LAST_STEP, Schedule
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.goal_image import GoalImage, GoalImageConfig
from worldmodel.planners.costs.goal_latent import GoalLatentConfig
from worldmodel.planners.gradient import GradientConfig
from worldmodel.planners.objective import objective
from worldmodel.planners.planning import PlanningConfig

PLANNING = PlanningConfig(
    CEMConfig(horizon=4, candidates=12, iterations=2, elites=4, chunk=2),
    GoalImageConfig((4, 16, 32)),
    replan_every=2,
)
BRIEF = BenchmarkConfig(
    task="reach",
    contestants=("oracle", "random", "null"),
    episodes=2,
    steps=3,
    films=1,
    planning=PLANNING,
)

SIMULATED = 2 * (2 * 12 * 4) / 3
"""Steps per action: two plans for three actions, each of two iterations with twelve candidates."""


@pytest.fixture(scope="module")
def task():
    task = make("tabletop/push")
    task.reset(seed=4)
    yield task
    task.close()


def sequences(count, horizon, width=2):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, count, horizon, width, generator=generator) * 2 - 1


def test_the_oracle_leaves_no_trace_in_the_simulator(task):
    def future():
        frames = [task.step(action)[0] for action in sequences(1, 5)[0, 0].numpy()]
        return np.stack(frames), task.save_state()

    present = task.save_state()
    frames, end = future()
    task.restore_state(present)
    foresight = SimulatorForesight(task)
    objective(foresight, GoalImage(task.goal_image), EVERY_STEP)(sequences(6, 3))
    kept = [step.frame for step in foresight.imagine(sequences(1, 4))]
    assert not torch.equal(kept[0], kept[-1])
    stream = foresight.imagine(sequences(2, 4))
    late = next(stream)
    np.testing.assert_array_equal(task.save_state(), present)
    del stream
    assert late.frame.shape == (2, 3, 64, 64)
    np.testing.assert_array_equal(task.save_state(), present)
    again, end_again = future()
    np.testing.assert_array_equal(again, frames)
    np.testing.assert_array_equal(end_again, end)
    task.restore_state(present)


def test_the_oracle_imagines_what_really_happens(task):
    actions = sequences(5, 3)
    foresight = SimulatorForesight(task)
    image = GoalImage(task.goal_image)
    cost = Schedule(running=0.5) * image + 0.1 * ActionPenalty()
    costs = objective(foresight, cost, EVERY_STEP)(actions)
    assert costs.shape == (1, 5)
    present = task.save_state()
    for n, sequence in enumerate(actions[0]):
        frames = torch.cat([as_frames(task.step(action.numpy())[0]) for action in sequence])
        task.restore_state(present)
        steps = list(foresight.imagine(sequence[None, None]))
        assert torch.equal(torch.cat([step.frame for step in steps]), frames)
        expected = torch.stack([cost(step) for step in steps]).sum(0)
        torch.testing.assert_close(costs[0, n : n + 1], expected)


def test_the_oracle_renders_only_what_the_cost_sees(task, monkeypatch):
    rendered = []
    render = task.tabletop.render
    monkeypatch.setattr(task.tabletop, "render", lambda: rendered.append(0) or render())
    image = GoalImage(task.goal_image)
    for schedule, pictures in [(EVERY_STEP, 15), (LAST_STEP, 5)]:
        rendered.clear()
        objective(SimulatorForesight(task), image, schedule)(sequences(5, 3))
        assert len(rendered) == pictures


def test_the_oracle_handles_all_five_actions():
    task = make("tabletop/reach", planar=False)
    task.reset(seed=0)
    actions = sequences(1, 2, width=5)
    imagined = [step.frame for step in SimulatorForesight(task).imagine(actions)]
    real = [as_frames(task.step(action)[0]) for action in actions[0, 0].numpy()]
    assert torch.equal(torch.cat(imagined), torch.cat(real))
    task.close()


def test_the_oracle_has_no_latent_and_one_environment(task):
    foresight = SimulatorForesight(task)
    with pytest.raises(InputError, match="a simulator has none"):
        _ = next(foresight.imagine(sequences(2, 2))).latent
    with pytest.raises(InputError, match="1 environment, got 2"):
        next(foresight.imagine(sequences(2, 2).expand(2, -1, -1, -1)))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_the_published_one(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_contestants_meet_the_same_starts_and_null_stays_there(tmp_path):
    result = benchmark(replace(BRIEF, domains=("ash", "birch")), tmp_path)
    assert len(result.records) == 2 * 2 * 3
    for episode in range(2):
        same = [r for r in result.records if r.episode == episode]
        assert len({r.seed for r in same}) == 1
        assert len({round(r.outcome.start_distance, 6) for r in same}) == 1
    for record in result.records:
        if record.contestant == "null":
            assert record.outcome.final_distance == pytest.approx(
                record.outcome.start_distance, abs=1e-4
            )
    steps = {r.contestant: r.outcome.steps_per_action for r in result.records}
    assert steps == {"oracle": pytest.approx(SIMULATED), "random": 0, "null": 0}
    oracle, null = result.score("oracle"), result.score("null", "birch")
    assert (oracle.episodes, null.episodes) == (4, 2)
    assert oracle.final_distance < oracle.start_distance - 0.03
    assert [row["domain"] for row in result.rows()] == ["ash"] * 3 + ["birch"] * 3 + ["all"] * 3
    with pytest.raises(InputError, match="no episode of model"):
        result.score("model")


def test_films_show_every_frame(tmp_path):
    benchmark(replace(BRIEF, episodes=1, contestants=("oracle",)), tmp_path)
    with Image.open(tmp_path / "ash-0-oracle.gif") as film:
        assert film.n_frames == 3 + 1  # pyright: ignore[reportAttributeAccessIssue]


def outcomes(result):
    return [replace(r, outcome=replace(r.outcome, seconds_per_action=0)) for r in result.records]


def test_a_stopped_benchmark_continues_and_ends_the_same(tmp_path):
    whole = benchmark(BRIEF, tmp_path / "whole")
    path = tmp_path / "stopped" / RECORDS
    shutil.copytree(tmp_path / "whole", path.parent)
    written = json.loads(path.read_text())[:3]
    path.write_text(json.dumps(written))
    assert outcomes(benchmark(BRIEF, path.parent)) == outcomes(whole)
    assert json.loads(path.read_text())[:3] == written


def test_a_folder_of_other_settings_is_refused(tmp_path):
    benchmark(replace(BRIEF, episodes=1, contestants=("null",)), tmp_path)
    more = benchmark(replace(BRIEF, episodes=2, contestants=("null",)), tmp_path)
    assert [record.episode for record in more.records] == [0, 1]
    differing = r"contestants was \['null'\] and is .*; steps was 3 and is 2"
    with pytest.raises(InputError, match=differing):
        benchmark(replace(BRIEF, episodes=1, contestants=("random",), steps=2), tmp_path)
    (tmp_path / RECORDS).write_text("{")
    with pytest.raises(InputError, match="expected the JSON of finished episodes, got"):
        benchmark(replace(BRIEF, episodes=1, contestants=("null",)), tmp_path)


def test_a_model_plays(tmp_path):
    torch.manual_seed(0)
    model = PredRNNConfig(layers=1, hidden=4, kernel=3).build((3, 64, 64), 2)
    config = replace(BRIEF, episodes=1, contestants=("model", "null"))
    result = benchmark(config, tmp_path, model)
    assert result.score("model").steps_per_action == pytest.approx(SIMULATED)
    other = PredRNNConfig(layers=1, hidden=4, kernel=3).build((3, 64, 64), 2)
    with pytest.raises(InputError, match="model was"):
        benchmark(config, tmp_path, other)


def test_starts_that_meet_their_goal_are_drawn_again_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("worldmodel.envs.tabletop.env.SUCCESS", 0.2)
    result = benchmark(replace(BRIEF, episodes=4, contestants=("null",), steps=1), tmp_path)
    assert sum(record.skipped for record in result.records) > 0
    assert all(record.outcome.start_distance > 0.2 for record in result.records)
    monkeypatch.setattr("worldmodel.envs.tabletop.env.SUCCESS", 10.0)
    with pytest.raises(InputError, match="every one of 100 starts met its goal"):
        benchmark(replace(BRIEF, seed=1), tmp_path / "solved")


def test_mistakes_are_refused(tmp_path):
    with pytest.raises(InputError, match="'model' needs a trained model"):
        benchmark(BenchmarkConfig(), tmp_path)
    with pytest.raises(InputError, match="episodes: expected at least 1, got 0"):
        BenchmarkConfig(episodes=0)
    with pytest.raises(InputError, match="domain of tabletop 'nowhere' is unknown; available: ash"):
        BenchmarkConfig(domains=("nowhere",))
    planning = PlanningConfig(GradientConfig(horizon=2))
    with pytest.raises(InputError, match="contestant 'oracle': Gradient: expected a learned model"):
        benchmark(replace(BRIEF, planning=planning), tmp_path)
    planning = PlanningConfig(cost=GoalLatentConfig())
    with pytest.raises(InputError, match=r"'oracle': cost 'goal-latent': .*got a simulator; `cont"):
        benchmark(replace(BRIEF, planning=planning), tmp_path)
    with pytest.raises(InputError, match="contestant 'oracel' is unknown; did you mean oracle"):
        BenchmarkConfig(contestants=("oracel",))
    with pytest.raises(InputError, match="option of tabletop/push 'spread' is unknown"):
        benchmark(BenchmarkConfig(options={"spread": 1}, contestants=("null",)), tmp_path)
    with pytest.raises(InputError, match="margin: expected float, got 'wide'"):
        make("tabletop/push", margin="wide")
