"""Costs that are fitted to recordings, against plain numpy."""

from pathlib import Path

import costs_at_hand as hand
import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from worldmodel.data.opening import open_source
from worldmodel.envs.collect import CollectConfig, collect
from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.model import State
from worldmodel.models.architectures import ARCHITECTURES
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.background_weighted import (
    BackgroundWeightedConfig,
    motion_frequency,
)
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.costs.slot_bus import WITH_BUS, SlotBus, SlotBusConfig
from worldmodel.rollout import imagine, observe

SHAPE = (3, hand.SIDE, hand.SIDE)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("recorded") / "logs"
    collect(CollectConfig(folder, recordings=4, frames=14, size=hand.SIDE, domains=("ash",)))
    return str(folder)


@pytest.fixture(scope="module")
def recorded(logs: str) -> np.ndarray:
    """Frames in [0, 1]. Shape (4, T, H, W, C)."""
    source = open_source([logs])
    return np.stack([source.frames(index, range(14)).pixels for index in range(4)]) / 255


def test_motion_frequency_is_the_share_of_steps_in_which_a_pixel_changes(logs, recorded):
    found = motion_frequency(logs, SHAPE, clips=1000, threshold=0.05)
    change = np.abs(np.diff(recorded, axis=1)).max(-1) > 0.05
    np.testing.assert_allclose(found, change.mean((0, 1)), atol=1e-6)
    assert 0 < found.mean() < 0.5
    assert torch.equal(found, motion_frequency([logs], SHAPE, clips=1000, threshold=0.05))


def test_a_few_clips_are_a_fixed_sample_of_all(logs):
    few = motion_frequency(logs, SHAPE, clips=10)
    assert torch.equal(few, motion_frequency(logs, SHAPE, clips=10))
    assert set((few * 10).round().unique().tolist()) <= set(map(float, range(11)))


def test_what_rarely_moves_weighs_more(logs):
    goal, frame = torch.rand(2, *SHAPE), torch.rand(6, *SHAPE)
    config = BackgroundWeightedConfig(logs, clips=30, epsilon=0.1, scales=(1,))
    seen = Imagined(0, torch.zeros(6, 1, 2), None, lambda: frame, lambda: frame)
    weights = 1 / (motion_frequency(logs, SHAPE, 30).numpy() + 0.1)
    weights /= weights.mean()
    squared = np.square(frame.numpy() - goal.numpy().repeat(3, axis=0)).sum(1)
    cost = config.build(Scene(goal[:, None], goal))
    np.testing.assert_allclose(cost(seen), (weights * squared).sum((1, 2)), rtol=1e-4)
    assert isinstance(cost, GoalImage)


def test_recordings_that_cannot_be_used_are_refused(tmp_path: Path):
    goal = torch.rand(1, *SHAPE)
    scene = Scene(goal[:, None], goal, (hand.mode_rnn(0),))
    for config in (BackgroundWeightedConfig, SlotBusConfig):
        with pytest.raises(InputError, match="nowhere"):
            config(str(tmp_path / "nowhere")).build(scene)
    with pytest.raises(InputError, match="threshold: expected at least 0 and below 1, got 1"):
        BackgroundWeightedConfig("logs", threshold=1.0)
    with pytest.raises(InputError, match="epsilon: expected above 0 and finite, got 0"):
        BackgroundWeightedConfig("logs", epsilon=0.0)


def buses(model, frames, actions, starts):
    """Pooled buses of imagined steps of clips (recording, first frame), in plain calls."""
    found = []
    for number, first in starts:
        clip = torch.from_numpy(frames[number, first : first + 12]).movedim(-1, 1)[None].float()
        moves = torch.from_numpy(actions[number][first : first + 11])[None]
        with torch.no_grad():
            state = observe(model, clip[:, :1], moves[:, :0])
            for step in imagine(model, state, moves):
                found.append(step.state["recurrent"]["bus0"].mean((2, 3))[0].double().numpy())
    return np.array(found)


def test_the_slot_bus_costs_its_distance_to_the_nearest_cluster(logs, recorded):
    model = hand.mode_rnn(0)
    source = open_source([logs])
    actions = [source.actions(index) for index in range(4)]
    every = [(number, first) for number in range(4) for first in range(3)]
    values = buses(model, recorded, actions, every)
    mean, std = values.mean(0), values.std(0, ddof=0)
    standard = (values - mean) / std
    cost = SlotBus.fitted(model, [logs], clusters=3, clips=100)
    bus = torch.randn(6, 8, 4, 4) * 0.3
    state = State({"recurrent": State({"bus0": bus}, batch_size=[6])}, batch_size=[6])
    costs = cost(Imagined(0, torch.zeros(6, 1, 2), state, hand_off, hand_off)).numpy()
    means = KMeans(3, random_state=0).fit(standard)
    centres, labels = means.cluster_centers_, means.labels_
    spread = [
        np.sqrt(np.square(standard[labels == k] - centres[k]).sum(1).mean()) for k in range(3)
    ]
    for value, pooled in zip(costs, bus.mean((2, 3)).numpy(), strict=True):
        away = np.linalg.norm((pooled - mean) / std - centres, axis=1)
        nearest = away.argmin()
        assert value == pytest.approx(away[nearest] / spread[nearest], rel=0.02)


def hand_off():
    raise AssertionError("looked")


def test_what_was_recorded_costs_less_than_what_never_was(logs):
    model = hand.mode_rnn(0)
    cost = SlotBus.fitted(model, [logs], clusters=3, clips=100)
    usual, strange = (
        torch.cat([cost(step) for step in seen_of(model, picture)])
        for picture in (open_picture(logs), torch.rand(1, *SHAPE))
    )
    assert usual.mean() < 0.5 * strange.mean()


def open_picture(logs):
    pixels = open_source([logs]).frames(0, range(1)).pixels
    return torch.from_numpy(pixels).movedim(-1, 1) / 255


@torch.no_grad()
def seen_of(model, picture):
    state = observe(model, picture[:, None], torch.zeros(1, 0, 2))
    return list(imagine(model, state, torch.zeros(1, 4, 2)))


def test_a_model_is_looked_at_once(logs):
    goal = torch.rand(1, *SHAPE)
    scene = Scene(goal[:, None], goal, (hand.mode_rnn(0),))
    config = SlotBusConfig(logs, clusters=2, clips=2)
    assert config.build(scene) is config.build(scene)
    assert config.build(scene) is not SlotBusConfig(logs, clusters=3, clips=2).build(scene)


def test_models_without_a_bus_are_refused(logs):
    goal = torch.rand(1, *SHAPE)
    model = ConvLSTMConfig(layers=1, hidden=4).build(SHAPE, 2)
    with pytest.raises(InputError, match=r"slot bus, of the architecture mode-rnn, got a ConvLSTM"):
        SlotBusConfig(logs).build(Scene(goal[:, None], goal, (model,)))
    with pytest.raises(InputError, match="layer: expected 0 to 0, got 1"):
        SlotBusConfig(logs, layer=1).build(Scene(goal[:, None], goal, (hand.mode_rnn(0),)))
    with pytest.raises(InputError, match="at least 500 imagined steps, one per cluster, got 22"):
        SlotBusConfig(logs, clusters=500, clips=2).build(
            Scene(goal[:, None], goal, (hand.mode_rnn(0),))
        )
    bare = Imagined(0, torch.zeros(1, 1, 2), None, hand_off, hand_off)
    with pytest.raises(InputError, match="expected a state with bus0, got one without"):
        SlotBus(0, torch.ones(2), torch.ones(2), torch.ones(1, 2), torch.ones(1))(bare)


def test_architectures_with_a_bus_are_those_that_are_named():
    having = []
    for name, kind in ARCHITECTURES.items():
        try:
            state = kind().build((3, 64, 64), 2).initial_state(1)
        except InputError:
            continue
        having += [name] * any(key.startswith("bus") for key in map(str, state.keys()))
    assert tuple(having) == WITH_BUS


@pytest.mark.parametrize("recordings", ["", [], [""], None, ["a", 3]])
@pytest.mark.parametrize("config", [BackgroundWeightedConfig, SlotBusConfig])
def test_recordings_that_are_not_named_are_refused(config, recordings):
    with pytest.raises(InputError, match=r"recordings: expected a folder, file or URL of rec.*got"):
        config(recordings)


def test_options_of_another_type_are_refused():
    with pytest.raises(InputError, match=r"clips: expected a whole number, got 1\.5"):
        BackgroundWeightedConfig("logs", clips=1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="threshold: expected at least 0 and below 1, got 'x'"):
        BackgroundWeightedConfig("logs", threshold="x")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="layer: expected a whole number, got 'top'"):
        SlotBusConfig("logs", layer="top")  # pyright: ignore[reportArgumentType]
