"""Collected logs: seeded, resumable, full of contact, and readable as RoboNet."""

import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from reading import frames_of, opened

from worldmodel.envs import make
from worldmodel.envs.collect import CollectConfig, collect, record, recording_path
from worldmodel.envs.suite import SUITES
from worldmodel.envs.tabletop.env import TabletopEnv
from worldmodel.envs.tabletop.simulation import HIGHEST, LOWEST, SCALE
from worldmodel.errors import InputError

# A background job of a shell starts with Ctrl-C ignored, and so do its children.
_PROGRAM = """
import signal
from pathlib import Path
from worldmodel.envs.collect import CollectConfig, collect
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    collect(CollectConfig(Path({out!r}), recordings={recordings}, workers=2))
"""


@pytest.fixture
def config(tmp_path) -> CollectConfig:
    return CollectConfig(tmp_path / "logs", recordings=6, frames=8)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


@pytest.mark.parametrize("planar", [True, False])
def test_files_hold_what_was_lived(config, planar):
    config = replace(config, options={"planar": planar})
    result = collect(config)
    assert (result.written, result.kept) == (6, 0)
    source = opened(config.output)
    assert len(source) == 6
    assert source.domains == ("ash", "birch", "cedar", "dune")
    assert source.action_names == ("dx", "dy", "dz", "dyaw", "gripper")[: 2 if planar else 5]
    for index in range(len(source)):
        view = source.views[index]
        path = recording_path(config, int(view.recording.name[-11:-5]))
        assert path.name == view.recording.name
        recording = record(config, int(path.stem[-6:]))
        assert view.recording.domain == path.stem.split("_")[0]
        assert view.camera.fps == 10
        np.testing.assert_array_equal(source.actions(index), recording.actions)
        assert psnr(frames_of(source, index), recording.frames) > 38


@pytest.mark.parametrize("planar", [True, False])
def test_actions_explain_the_hand(config, planar):
    """Adding the recorded actions up, within bounds, gives the recorded hand."""
    for index in range(8):
        recording = record(replace(config, options={"planar": planar}, frames=25), index)
        assert np.abs(recording.actions).max() <= 1
        pose = recording.states[0, :4]
        for action, hand in zip(recording.actions, recording.states[1:], strict=True):
            width = min(len(action), 4)
            pose[:width] += action[:width] * SCALE[:width]
            pose = np.clip(pose, LOWEST, HIGHEST)
            np.testing.assert_allclose(hand[:2], pose[:2], atol=0.006)


def test_function_of_seed_and_index(config):
    one, same, other = (record(c, 3) for c in (config, config, replace(config, seed=1)))
    np.testing.assert_array_equal(one.frames, same.frames)
    assert not np.array_equal(one.actions, other.actions)
    assert not np.array_equal(one.actions[:, :2], record(config, 4).actions[:, :2])
    record(config, 0)
    np.testing.assert_array_equal(one.frames, record(replace(config, recordings=99), 3).frames)


@pytest.mark.parametrize("planar", [True, False])
def test_seeking_moves_the_object(planar):
    env = make("tabletop/push", size=16, planar=planar)
    assert isinstance(env, TabletopEnv)
    moved = []
    for index in range(24):
        seeking = SUITES["tabletop"].policies["seek"](env, np.random.default_rng(index))
        action = next(seeking)
        before = env.tabletop.object
        for _ in range(24):
            env.advance(action)
            action = next(seeking)
        moved.append(np.linalg.norm(env.tabletop.object - before) > 0.02)
    assert np.mean(moved) > 0.8


def test_shares_decide_how_often_each_policy_explores(config):
    config = replace(config, frames=2, size=16, policies={"seek": 1, "wander": 2, "expert": 1})
    chosen = Counter(record(config, index).policy for index in range(200))
    assert chosen["seek"] == pytest.approx(50, abs=20)
    assert chosen["wander"] == pytest.approx(100, abs=22)
    assert chosen["expert"] == pytest.approx(50, abs=20)


def test_the_expert_reaches_its_goal(config):
    config = replace(config, task="reach", domains=("ash",), frames=16, policies={"expert": 1})
    states = [record(config, index).states for index in range(4)]
    assert all(np.abs(hand[-1, :3] - hand[-3, :3]).max() < 0.01 for hand in states)
    assert all(np.abs(hand[0, :3] - hand[-1, :3]).max() > 0.02 for hand in states)


def test_wandering_covers_the_table(config):
    config = replace(config, frames=60, policies={"wander": 1}, size=16)
    hands = np.concatenate([record(config, index).states for index in range(24)])
    cells, *_ = np.histogram2d(hands[:, 0], hands[:, 1], bins=4, range=[[-0.18, 0.18]] * 2)
    assert (cells > 0).all()


def test_continues_where_it_was(config):
    collect(replace(config, recordings=4))
    stamps = {path: path.stat().st_mtime_ns for path in config.output.glob("*.hdf5")}
    recording_path(config, 2).unlink()
    result = collect(config)
    assert (result.written, result.kept) == (3, 3)
    assert len(list(config.output.glob("*.hdf5"))) == 6
    unchanged = [path for path, stamp in stamps.items() if path.stat().st_mtime_ns == stamp]
    assert len(unchanged) == 3


def test_other_settings_are_refused(config):
    collect(replace(config, recordings=1))
    with pytest.raises(InputError, match=r"begun with other settings: frames was 8 and is 9;"):
        collect(replace(config, frames=9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recordings": 0}, "recordings: expected at least 1, got 0"),
        ({"frames": 1}, "frames: expected at least 2, got 1"),
        ({"policies": {"seek": -1}}, "policies.seek: expected a share of at least 0, got -1"),
        (
            {"policies": {"seek": math.inf}},
            "policies.seek: expected a share of at least 0, got inf",
        ),
        ({"policies": {"seek": 0}}, "policies: expected a share above 0"),
        ({"policies": {"seak": 1}}, "did you mean seek.*available: seek, wander, expert"),
        ({"domains": ("oak",)}, "available: ash, birch, cedar, dune"),
        ({"task": "pull"}, "task of tabletop 'pull' is unknown.*available: reach, push"),
        ({"suite": "tabletops"}, "did you mean tabletop"),
    ],
)
def test_bad_settings(config, change, message):
    with pytest.raises(InputError, match=message):
        replace(config, **change)


@pytest.mark.slow
def test_interrupted_processes_leave_whole_files(tmp_path):
    out = tmp_path / "logs"
    program = _PROGRAM.format(out=str(out), recordings=5000)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.hdf5"))) < 8 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) != 0
    source = opened(out)
    assert 8 <= len(source) < 5000
    assert {frames_of(source, index).shape for index in range(8)} == {(25, 64, 64, 3)}
    left = [path for path in out.iterdir() if path.suffix not in (".hdf5", ".yaml")]
    assert left == []
