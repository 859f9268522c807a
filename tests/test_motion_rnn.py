"""MotionRNN against its equations, restated with loops in float64, and the authors' numbers."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import naive
import numpy as np
import parity_motion
import pytest
import torch
from torch import Tensor, nn

from worldmodel.clip import Clip
from worldmodel.complexity import forward_flops, parameter_count, shape_only
from worldmodel.errors import InputError
from worldmodel.layers.motion_gru import Warp, neighbourhoods
from worldmodel.layers.motion_layer import MotionLayer, MotionTransition
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.models.e3d_lstm import E3DLSTMConfig
from worldmodel.models.mim import MIMConfig
from worldmodel.models.motion_details_rnn import MotionDetailsRNNConfig
from worldmodel.models.motion_rnn import MotionRNN, MotionRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.predrnn_plus_plus import PredRNNPlusPlusConfig
from worldmodel.models.published.motion_rnn import MOTION_RNN
from worldmodel.models.published.translation import load_published
from worldmodel.models.sa_conv_lstm import SAConvLSTMConfig
from worldmodel.models.stack import StackConfig
from worldmodel.models.traj_gru import TrajGRUConfig
from worldmodel.rollout import unroll

PREDRNN = PredRNNConfig(layers=3, hidden=4, kernel=3, patch=1, memory_decoupling=False)
BACKBONES: dict[str, StackConfig] = {
    "predrnn": PREDRNN,
    "conv-lstm": ConvLSTMConfig(layers=2, hidden=4, kernel=3, patch=1),
    "mim": MIMConfig(layers=3, hidden=4, kernel=3, patch=1),
    "e3d-lstm": E3DLSTMConfig(layers=2, hidden=4, kernel=3, patch=1, window=3),
    "motion-details": MotionDetailsRNNConfig(layers=2, hidden=4, kernel=3, patch=1),
    "m-only": replace(PREDRNN, memory_flow="M-only"),
}
WITHOUT_GATES: dict[str, StackConfig] = {
    "predrnn++": PredRNNPlusPlusConfig(layers=2, hidden=4, kernel=3, patch=1),
    "sa-conv-lstm": SAConvLSTMConfig(layers=2, hidden=4, patch=1, key=2),
    "traj-gru": TrajGRUConfig(layers=2, hidden=4, patch=1, links=2, flow_features=2),
}
FRAME = (1, 4, 6)
TABLE_3 = list(product([False, True], [False, True], [0.0, 0.3]))


def close(ours: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)


# --- Warp


def pixel(x: Tensor, row: float, column: float) -> Tensor:
    """Bilinear sample of (C, h, w), zero outside. Shape (C,)."""
    top, left = math.floor(row), math.floor(column)
    value = torch.zeros_like(x[:, 0, 0])
    for i, j in product((top, top + 1), (left, left + 1)):
        if 0 <= i < x.shape[1] and 0 <= j < x.shape[2]:
            value += (1 - abs(row - i)) * (1 - abs(column - j)) * x[:, i, j]
    return value


def naive_warp(warp: Warp, x: Tensor, offsets: Tensor) -> Tensor:
    """A deformable 3x3 convolution of (C, h, w) with a mask, by its definition."""
    mask = torch.sigmoid(naive.conv(x, warp.mask))
    y = torch.zeros_like(x)
    for i, j, n in product(range(x.shape[1]), range(x.shape[2]), range(9)):
        row = i + n // 3 - 1 + float(offsets[n, i, j])
        column = j + n % 3 - 1 + float(offsets[9 + n, i, j])
        y[:, i, j] += mask[n, i, j] * warp.conv.weight[:, :, n // 3, n % 3] @ pixel(x, row, column)
    return y


@torch.no_grad()
def test_warp_is_a_masked_bilinear_gather() -> None:
    warp, x = Warp(2).double(), torch.randn(3, 2, 4, 5, dtype=torch.float64)
    naive.lively(warp)
    offsets = 3 * torch.randn(3, 18, 4, 5, dtype=torch.float64)
    for b, warped in enumerate(warp(x, offsets)):
        close(warped, naive_warp(warp, x[b], offsets[b]))


@torch.no_grad()
def test_warp_without_offsets_is_half_a_convolution() -> None:
    """The mask starts at sigma(0), up to its bias."""
    warp, x = Warp(2), torch.randn(1, 2, 1, 7)
    nn.init.zeros_(warp.mask.get_parameter("bias"))
    expected = 0.5 * nn.functional.conv2d(x, warp.conv.weight, padding=1)
    torch.testing.assert_close(warp(x, torch.zeros(1, 18, 1, 7)), expected)


def test_whole_offsets_shift_the_maps() -> None:
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    offsets = torch.cat((torch.full((1, 9, 5, 6), 2.0), torch.full((1, 9, 5, 6), -1.0)), dim=1)
    centres = neighbourhoods(x, offsets.double())[0, 0, 1::3, 1::3]
    close(centres[:3, 1:], x[0, 0, 2:, :-1])
    assert not centres[3:].any()
    assert not centres[:, 0].any()


@pytest.mark.data
def test_motion_gru_has_the_published_numbers(fixtures: Path) -> None:
    with np.load(fixtures / "motionrnn_predrnn_official_zeroinit.npz") as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files if name != "config"}
    weights = {name[2:]: array for name, array in arrays.items() if name.startswith("w/")}
    config, frame_shape = MOTION_RNN.config(weights, 1), (1, 16, 16)
    model = load_published(MOTION_RNN, config, frame_shape, weights)
    gru = model.get_submodule("cells.0.transition.gru")
    results = gru(*(arrays[f"motiongru/{name}"] for name in ("x", "offset", "mean")))
    for name, result in zip(("x", "offset", "mean"), results, strict=True):
        torch.testing.assert_close(result, arrays[f"motiongru/out_{name}"], rtol=1e-5, atol=1e-6)


# --- The stack


def naive_decoder(x: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """A transposed 4x4 convolution of (C, h, w), stride 2: every position adds its kernel."""
    inputs, outputs = layer.weight.shape[:2]
    h, w = x.shape[1:]
    y = torch.zeros(outputs, 2 * h + 2, 2 * w + 2, dtype=x.dtype)
    for i, j, c in product(range(h), range(w), range(inputs)):
        y[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += x[c, i, j] * layer.weight[c]
    return y[:, 1:-1, 1:-1] + layer.get_parameter("bias")[:, None, None]


def naive_transition(
    transition: nn.Module, hidden: Tensor, offsets: Tensor, trend: Tensor, rate: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Equations 2 to 4 for one sample."""
    assert isinstance(transition, MotionTransition)
    encoded = naive.conv(hidden, transition.encoder)[:, ::2, ::2]
    trend, transient = trend + rate * (offsets - trend), transition.gru.transient
    variation = torch.zeros_like(offsets)
    if transient is not None:
        u = torch.sigmoid(naive.conv(torch.cat((encoded, offsets)), transient.update))
        r = torch.sigmoid(naive.conv(torch.cat((encoded, offsets)), transient.reset))
        z = torch.tanh(naive.conv(torch.cat((encoded, r * offsets)), transient.output))
        variation = u * z + (1 - u) * offsets
    offsets = variation + trend
    decoded = naive_decoder(naive_warp(transition.gru.warp, encoded, offsets), transition.decoder)
    fused, slices = torch.zeros_like(hidden), len(hidden) // transition.channels
    for n in range(slices):
        both = torch.cat((decoded[n::slices], hidden[n::slices]))
        gate = torch.sigmoid(naive.conv(both, transition.fusion))
        fused[n::slices] = gate * decoded[n::slices] + (1 - gate) * hidden[n::slices]
    return fused, offsets, trend


def check_equations(config: MotionRNNConfig) -> None:
    """Three frames of one clip through the model, and through loops around its recurrent layers."""
    model = MotionRNN(FRAME, 0, config).double()
    naive.lively(model)
    state = model.initial_state(1)
    before = {name: value.clone() for name, value in state.items()}
    for frame in torch.rand(3, 1, *FRAME, dtype=torch.float64):
        prediction, state = model.step(frame, frame.new_zeros(1, 0), state)
        x, after = model.codec.encode(frame)[0], {}
        flow = {name: before[name] for name in ("memory", "hidden") if name in before}
        highway = torch.zeros(())
        for level, layer in enumerate(model.cells):
            assert isinstance(layer, MotionLayer)
            own = {name: before[f"{name}{level}"] for name in layer.own}
            output = layer.inner(x, own, flow, None)
            hidden, kept = output.own["hidden"][0], dict(output.own)
            if config.highway:
                if level == 0:
                    highway = naive.conv(x[0], layer.get_submodule("entrance"))
                assert output.gate is not None
                hidden = hidden + (1 - output.gate[0]) * highway
                highway = hidden
            if level < len(model.cells) - 1 and (config.transient or config.trend_rate):
                hidden, offsets, trend = naive_transition(
                    layer.get_submodule("transition"),
                    hidden,
                    own["motion_filter"][0],
                    own["motion_trend"][0],
                    config.trend_rate,
                )
                kept |= {"motion_filter": offsets[None], "motion_trend": trend[None]}
            x, flow = hidden[None], {**flow, **output.flow}
            if "hidden" in flow:
                flow["hidden"] = x
            after |= {f"{name}{level}": value for name, value in {**kept, "hidden": x}.items()}
        after |= {name: flow[name] for name in before if name in flow}
        assert set(after) == set(state.keys())
        for name, value in after.items():
            close(state[name], value)
        close(prediction, model.codec.decode(x, ()))
        before = after


@torch.no_grad()
@pytest.mark.parametrize(("highway", "transient", "rate"), TABLE_3)
def test_ablations_are_the_equations(highway: bool, transient: bool, rate: float) -> None:
    config = MotionRNNConfig(
        backbone=PREDRNN,
        highway=highway,
        transient=transient,
        trend_rate=rate,
        transient_kernel=1,
        fusion_kernel=1,
    )
    check_equations(config)


@torch.no_grad()
@pytest.mark.parametrize("name", list(BACKBONES))
def test_every_backbone_with_output_gates_can_be_wrapped(name: str) -> None:
    check_equations(MotionRNNConfig(backbone=BACKBONES[name], encoder_kernel=3, fusion_kernel=3))


@pytest.mark.parametrize("name", [*BACKBONES, *WITHOUT_GATES])
def test_every_backbone_reads_what_was_moved(name: str) -> None:
    backbone = (BACKBONES | WITHOUT_GATES)[name]
    model = MotionRNNConfig(backbone=backbone, highway=name in BACKBONES).build(FRAME, 2)
    clip = Clip.checked(torch.rand(2, 4, *FRAME), torch.randn(2, 3, 2))
    predictions, _ = unroll(model, clip, torch.ones(2, 3))
    predictions.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@torch.no_grad()
@pytest.mark.parametrize("name", [*BACKBONES, *WITHOUT_GATES])
def test_without_its_additions_it_is_the_backbone(name: str) -> None:
    backbone = (BACKBONES | WITHOUT_GATES)[name]
    config = MotionRNNConfig(backbone=backbone, highway=False, transient=False, trend_rate=0.0)
    wrapped, plain = config.build(FRAME, 2), config.backbone.build(FRAME, 2)
    wrapped.load_state_dict(
        {
            name.replace(f"cells.{name.split('.')[1]}.", f"cells.{name.split('.')[1]}.inner.")
            if name.startswith("cells.")
            else name: value
            for name, value in plain.state_dict().items()
        }
    )
    states = [model.initial_state(2) for model in (wrapped, plain)]
    for frame, action in zip(torch.rand(2, 2, *FRAME), torch.randn(2, 2, 2), strict=True):
        ours, states[0] = wrapped.step(frame, action, states[0])
        theirs, states[1] = plain.step(frame, action, states[1])
        assert torch.equal(ours, theirs)


def test_without_a_transient_variation_nothing_moves() -> None:
    model = MotionRNNConfig(backbone=PREDRNN, transient=False).build(FRAME, 0)
    _, state = model.step(torch.rand(1, *FRAME), torch.zeros(1, 0), model.initial_state(1))
    assert not state["motion_filter0"].any()


def test_size_and_cost_are_the_published_ones() -> None:
    model = shape_only(MotionRNNConfig(), (1, 64, 64), 0)
    assert parameter_count(model) == 6_852_161
    assert 19 * forward_flops(model, 2) == 65_292_361_216  # 10 frames to 10


# --- What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trend_rate": 1.5}, "trend_rate: expected at most 1, got 1.5"),
        ({"trend_rate": -0.1}, "trend_rate: expected at least 0, got -0.1"),
        ({"fusion_kernel": 2}, "fusion_kernel: expected an odd number, got 2"),
        ({"backbone": replace(PREDRNN, hidden=3)}, "quarter of the channels.* got 3"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MotionRNNConfig(**options)  # pyright: ignore[reportArgumentType]


def test_a_grid_that_has_no_half_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected both even, got \(4, 5\)"):
        MotionRNNConfig(backbone=PREDRNN).build((1, 4, 5), 0)


def test_layers_without_an_output_gate_take_no_highway() -> None:
    config = MotionRNNConfig(backbone=WITHOUT_GATES["predrnn++"])
    with pytest.raises(InputError, match="expected layers with one, got CausalLSTMCell"):
        config.build(FRAME, 0)


# --- Initial states of the authors' code


@pytest.mark.parametrize("style", ["{}.{}", "in/{}_{}", "init/{}[{}]", "state/{}/{}", "{}_init{}"])
def test_stored_initial_states_are_found(style: str) -> None:
    model = MotionRNNConfig(backbone=PREDRNN).build(FRAME, 0)
    expected = {name: torch.randn_like(value) for name, value in model.initial_state(2).items()}
    theirs = {
        "hidden": "h_t",
        "cell": "c_t",
        "motion_filter": "h_t_conv_offset",
        "motion_trend": "mean",
    }
    arrays = {
        style.format(theirs[name[:-1]], name[-1]): value.numpy()
        for name, value in expected.items()
        if name != "memory"
    }
    arrays["init/mem"] = expected["memory"].movedim(1, -1).numpy()
    arrays[style.format("h_t_conv", 0)] = arrays["in/motion_highway"] = np.zeros(3)
    with parity_motion.stored_initial_state(model, arrays):
        state = model.initial_state(2)
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert not torch.cat([value.flatten() for _, value in model.initial_state(2).items()]).any()


def test_stored_initial_states_may_be_stacked() -> None:
    state = MotionRNNConfig(backbone=PREDRNN).build(FRAME, 0).initial_state(2)
    hidden = torch.randn(3, 2, 4, 4, 6)
    state = parity_motion.begin_with(state, {"in/h0": hidden.numpy()})
    assert all(torch.equal(state[f"hidden{layer}"], hidden[layer]) for layer in range(3))


def test_of_two_initial_states_drawn_as_one_either_is_both() -> None:
    state = MotionRNNConfig(backbone=PREDRNN).build(FRAME, 0).initial_state(2)
    arrays = {
        "in/c_t.1": torch.randn(2, 4, 4, 6).numpy(),
        "in/offset.0": torch.randn(2, 18, 2, 3).numpy(),
    }
    state = parity_motion.begin_with(state, arrays)
    assert torch.equal(state["hidden1"], state["cell1"])
    assert torch.equal(state["motion_trend0"], state["motion_filter0"])
    assert state["hidden1"].any()
    assert state["motion_filter0"].any()
    assert not state["hidden0"].any()


@pytest.mark.parametrize("style", ["in/init_{}", "draw.{:02d}"])
def test_initial_states_without_names_are_taken_in_the_order_of_the_authors(style: str) -> None:
    state = MotionRNNConfig(backbone=PREDRNN).build(FRAME, 0).initial_state(2)
    maps, code, motion = (2, 4, 4, 6), (2, 1, 2, 3), (2, 18, 2, 3)
    drawn = [torch.randn(s) for s in (maps, maps, maps, code, motion, code, motion, maps, maps)]
    arrays = {style.format(index): value.numpy() for index, value in enumerate(drawn)}
    state = parity_motion.begin_with(state, dict(reversed(arrays.items())))
    places = {"hidden0": 0, "cell2": 2, "motion_filter0": 4, "motion_trend1": 6, "memory": 7}
    assert all(torch.equal(state[entry], drawn[place]) for entry, place in places.items())
    arrays.popitem()
    with pytest.raises(InputError, match="expected a variable of the authors' in each name"):
        parity_motion.begin_with(state, arrays)


def test_stored_initial_states_that_do_not_fit_are_refused() -> None:
    model = MotionRNNConfig(backbone=PREDRNN).build(FRAME, 0)
    with (
        parity_motion.stored_initial_state(model, {"in/h_t.0": np.zeros((1, 2, 3, 4))}),
        pytest.raises(InputError, match=r"hidden0: expected shape \(1, 4, 4, 6\), got"),
    ):
        model.initial_state(1)
    with (
        parity_motion.stored_initial_state(model, {"in/h_t.7": np.zeros((1, 4, 4, 6))}),
        pytest.raises(InputError, match="hidden7: no such entry, available: cell0, cell1"),
    ):
        model.initial_state(1)
    state = MotionRNNConfig(backbone=PREDRNN).build(FRAME, 0).initial_state(1)
    twice = {"in/h_t.0": np.zeros((1, 4, 4, 6)), "in/hidden_0": np.zeros((1, 4, 4, 6))}
    with pytest.raises(InputError, match=r"in/hidden_0: in/h_t\.0 already holds hidden0"):
        parity_motion.begin_with(state, twice)
