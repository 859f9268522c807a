"""The PredRNN family against its equations, restated with loops in float64, and its sizes."""

from collections.abc import Callable

import naive
import pytest
import torch
from torch import Tensor, nn, sigmoid

from worldmodel.complexity import forward_flops, parameter_count, shape_only
from worldmodel.errors import InputError
from worldmodel.layers.causal_lstm import CausalLSTMCell, GradientHighway
from worldmodel.layers.memory_flow import MemoryFlowCell
from worldmodel.layers.st_lstm import STLSTMCell
from worldmodel.model import WorldModel
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.models.predrnn import MemoryFlow, PredRNN, PredRNNConfig
from worldmodel.models.predrnn_plus_plus import PredRNNPlusPlus, PredRNNPlusPlusConfig
from worldmodel.models.published.predrnn_plus_plus import PREDRNN_PLUS_PLUS
from worldmodel.models.published.translation import load_published
from worldmodel.models.stack import StackConfig

FRAME = (1, 3, 4)
ZERO = torch.zeros(2, 3, 4, dtype=torch.float64)


@torch.no_grad()
def check(model: WorldModel, naive_step: Callable[[Tensor], Tensor]) -> None:
    """Three frames through the model, and through the top hidden state that loops compute."""
    naive.lively(model.double())
    state = model.initial_state(1)
    output = model.get_submodule("codec.output")
    for frame in torch.rand(3, 1, *FRAME, dtype=torch.float64):
        prediction, state = model.step(frame, frame.new_zeros(1, 0), state)
        top = naive_step(frame[0])
        torch.testing.assert_close(prediction[0], naive.conv(top, output), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(model.latent(state)[0], top, rtol=1e-10, atol=1e-12)


def st_lstm(
    cell: nn.Module, x: Tensor, hidden: Tensor, old: Tensor, memory: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Equation 4 of PredRNN-V2; without a memory to read, all that read it is gone."""
    assert isinstance(cell, STLSTMCell)
    parts = naive.path(x, cell.conv_x).split(2)
    i_h, f_h, g_h, o_h = naive.path(hidden, cell.conv_h).split(2)
    i, f, g = sigmoid(parts[0] + i_h), sigmoid(parts[1] + f_h + 1), torch.tanh(parts[2] + g_h)
    new = f * old + i * g
    if memory is None:
        memory = sigmoid(parts[3]) * torch.tanh(parts[4])
    else:
        i_m, f_m, g_m = naive.path(memory, cell.conv_m).split(2)
        enters = sigmoid(parts[3] + i_m) * torch.tanh(parts[5] + g_m)
        memory = sigmoid(parts[4] + f_m + 1) * memory + enters
    both = torch.cat((new, memory))
    o = sigmoid(parts[-1] + o_h + naive.path(both, cell.conv_o))
    return o * torch.tanh(naive.conv(both, cell.conv_last)), new, memory


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("flow", ["zigzag", "without-bottom-up", "without-top-down"])
def test_memory_takes_the_paths_of_table_2(flow: MemoryFlow, layer_norm: bool) -> None:
    config = PredRNNConfig(
        layers=3, hidden=2, kernel=3, patch=1, layer_norm=layer_norm, memory_flow=flow
    )
    model = PredRNN(FRAME, 0, config)
    assert ("memory" in model.initial_state(1)) == (flow != "without-top-down")
    carried, top_memory = [(ZERO, ZERO)] * 3, ZERO

    def step(x: Tensor) -> Tensor:
        nonlocal top_memory
        below = None if flow == "without-top-down" else top_memory
        for layer, cell in enumerate(model.cells):
            x, new, memory = st_lstm(cell, x, *carried[layer], below)
            carried[layer] = (x, new)
            below = None if flow == "without-bottom-up" else memory
            top_memory = memory
        return x

    check(model, step)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_m_only_is_equation_3(layer_norm: bool) -> None:
    config = PredRNNConfig(
        layers=3,
        hidden=2,
        kernel=3,
        patch=1,
        layer_norm=layer_norm,
        memory_decoupling=False,
        memory_flow="M-only",
    )
    model = PredRNN(FRAME, 0, config)
    hidden, memory = ZERO, ZERO

    def step(x: Tensor) -> Tensor:
        nonlocal hidden, memory
        for layer, cell in enumerate(model.cells):
            assert isinstance(cell, MemoryFlowCell)
            gates = naive.path(hidden, cell.conv_h)
            if layer == 0:
                gates = gates + naive.path(x, cell.conv_x)
            i, f, g, o = gates.split(2)
            i_m, f_m = naive.path(memory, cell.conv_m).split(2)
            memory = sigmoid(f + f_m + 1) * memory + sigmoid(i + i_m) * torch.tanh(g)
            hidden = sigmoid(o + naive.path(memory, cell.conv_o)) * torch.tanh(memory)
        return hidden

    check(model, step)


def causal_lstm(
    cell: nn.Module, x: Tensor, hidden: Tensor, old: Tensor, memory: Tensor, *, legacy: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The cascade of PredRNN++, in the gate order of OpenSTL."""
    assert isinstance(cell, CausalLSTMCell)
    i_x, f_x, g_x, i_x2, f_x2, g_x2, o_x = naive.path(x, cell.conv_x).split(2)
    i_h, f_h, g_h, o_h = naive.path(hidden, cell.conv_h).split(2)
    i_c, f_c, g_c = naive.path(memory if legacy else old, cell.conv_c).split(2)
    new = sigmoid(f_x + f_h + f_c + 1) * old
    new = new + sigmoid(i_x + i_h + i_c) * torch.tanh(g_x + g_h + g_c)
    i_m, f_m, m_m = naive.path(memory, cell.conv_m).split(2)
    i_c2, g_c2, f_c2, o_c = naive.path(new, cell.conv_c2m).split(2)
    memory = sigmoid(f_x2 + f_m + f_c2 + 1) * torch.tanh(m_m)
    memory = memory + sigmoid(i_x2 + i_m + i_c2) * torch.tanh(g_x2 + g_c2)
    o = torch.tanh(o_x + o_h + o_c + naive.path(memory, cell.conv_om))
    return o * torch.tanh(naive.conv(torch.cat((new, memory)), cell.conv_last)), new, memory


def highway(unit: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    assert isinstance(unit, GradientHighway)
    p_x, s_x = naive.path(x, unit.x_concat).split(2)
    p_z, s_z = naive.path(z, unit.z_concat).split(2)
    s = sigmoid(s_x + s_z)
    return s * torch.tanh(p_x + p_z) + (1 - s) * z


@pytest.mark.parametrize(("layer_norm", "legacy"), [(False, False), (True, False), (False, True)])
def test_predrnn_plus_plus_is_a_cascade_and_a_highway(layer_norm: bool, legacy: bool) -> None:
    config = PredRNNPlusPlusConfig(
        layers=3, hidden=2, kernel=3, patch=1, layer_norm=layer_norm, legacy=legacy
    )
    model = PredRNNPlusPlus(FRAME, 0, config)
    first, unit, *rest = model.cells
    carried, z, memory = [(ZERO, ZERO)] * 3, ZERO, ZERO

    def step(x: Tensor) -> Tensor:
        nonlocal z, memory
        for layer, cell in enumerate([first, *rest]):
            x, new, memory = causal_lstm(cell, x, *carried[layer], memory, legacy=legacy)
            carried[layer] = (x, new)
            if layer == 0:
                x = z = highway(unit, x, z)
        return x

    check(model, step)


def test_the_legacy_forward_is_another_one() -> None:
    current = PredRNNPlusPlusConfig(layers=2, hidden=4, kernel=3).build((1, 8, 8), 0)
    legacy = PredRNNPlusPlusConfig(layers=2, hidden=4, kernel=3, legacy=True).build((1, 8, 8), 0)
    legacy.load_state_dict(current.state_dict())
    frame, action, state = torch.rand(1, 1, 8, 8), torch.zeros(1, 0), current.initial_state(1)
    _, state = current.step(frame, action, state)
    one, other = (model.step(frame, action, state)[0] for model in (current, legacy))
    assert (one - other).abs().max() > 1e-6


@torch.no_grad()
def test_an_untrained_highway_forgets_half_in_every_step() -> None:
    unit = GradientHighway(8, (4, 4), kernel=3, normalise=False)
    z = torch.randn(1, 8, 4, 4)
    output = unit(torch.randn(1, 8, 4, 4), {"hidden": z}, {}, None).output
    torch.testing.assert_close(output, z / 2, rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PredRNNPlusPlusConfig(layers=1), r"layers: expected at least 2, got 1"),
        (lambda: PredRNNConfig(patch=0), r"PredRNNConfig\.patch: expected at least 1, got 0"),
        (lambda: PredRNNConfig(patch=None, hidden=1), r"hidden: expected at least 2, got 1"),
        (lambda: PredRNNConfig(memory_flow="M-only"), r"memory_decoupling: expected False"),
        (
            lambda: PredRNNConfig(memory_flow="upwards"),  # pyright: ignore[reportArgumentType]
            r"memory_flow: expected one of zigzag, .*, M-only, got upwards",
        ),
    ],
)
def test_impossible_options_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


@pytest.mark.parametrize(
    "config",
    [
        ConvLSTMConfig(layers=2, kernel=3, layer_norm=True),
        PredRNNConfig(layers=2, kernel=3, layer_norm=True),
        PredRNNConfig(
            layers=2, kernel=3, layer_norm=True, memory_decoupling=False, memory_flow="M-only"
        ),
        PredRNNPlusPlusConfig(layers=2, kernel=3, layer_norm=True),
    ],
    ids=lambda config: type(config).__name__,
)
def test_a_norm_follows_every_convolution_but_the_1x1_ones(config: StackConfig) -> None:
    modules = list(config.build((1, 8, 8), 2).modules())
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    norms = [m.normalized_shape for m in modules if isinstance(m, nn.LayerNorm)]
    assert sorted(norms) == sorted((conv.out_channels, 2, 2) for conv in convolutions)


def test_published_names_and_sizes_are_understood() -> None:
    config = PredRNNPlusPlusConfig(layers=3, hidden=4, kernel=3, patch=2)
    model = config.build((3, 8, 4), 0)
    places = {"cells.0.": "cell_list.0.", "cells.1.": "gradient_highway."}
    places |= {"cells.2.": "cell_list.1.", "cells.3.": "cell_list.2."}
    weights = {"conv_last.weight": model.state_dict()["codec.output.weight"]}
    for ours, theirs in places.items():
        part = {n: w for n, w in model.state_dict().items() if n.startswith(ours)}
        weights |= {name.replace(ours, theirs): weight for name, weight in part.items()}
    for layer in range(3):
        weights[f"cell_list.{layer}.conv_o.0.weight"] = torch.rand(4, 8, 3, 3)
    assert PREDRNN_PLUS_PLUS.config(weights, 3) == config
    loaded = load_published(PREDRNN_PLUS_PLUS, config, (3, 8, 4), weights)
    assert all(torch.equal(loaded.state_dict()[name], v) for name, v in model.state_dict().items())


M_ONLY = PredRNNConfig(hidden=128, memory_decoupling=False, memory_flow="M-only")
TAPS, WIDTH, DEPTH = 5 * 5, 128, 16


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (PredRNNConfig(hidden=128, memory_decoupling=False), 23_838_720),
        (PredRNNPlusPlusConfig(hidden=128), 38_584_320 - 4 * TAPS * 2 * WIDTH**2),
        (M_ONLY, TAPS * WIDTH * (4 * DEPTH + 4 * (4 + 2 + 1) * WIDTH) + DEPTH * WIDTH),
    ],
    ids=["PredRNN", "PredRNN++", "M-only"],
)
def test_size_and_cost_are_those_of_the_authors_code(
    config: PredRNNConfig | PredRNNPlusPlusConfig, parameters: int
) -> None:
    """4 x 128 on Moving MNIST; of PredRNN++ without the unused `conv_o` of every cell.

    Every weight meets each of the 16 x 16 positions once in each of the 19 steps.
    """
    model = shape_only(config, (1, 64, 64), 0)
    assert parameter_count(model) == parameters
    assert forward_flops(model, 20) == 2 * parameters * 16 * 16 * 19


def test_predrnn_v2_has_the_size_and_cost_of_the_authors_code() -> None:
    """But for decoupling: their adapter meets both memories of all four layers.

    Here it meets the products of the channels of both with each other.
    """
    model = shape_only(PredRNNConfig(hidden=128), (1, 64, 64), 0)
    assert parameter_count(model) == 23_855_104
    theirs = 2 * 2 * WIDTH**2 * 16 * 16
    ours = 2 * (2 * WIDTH) ** 2 * 16 * 16 + 3 * 2 * WIDTH**3
    units = 2 * WIDTH**3 // 8  # one for all eight clips
    assert forward_flops(model, 20) == 233_178_136_576 + 19 * (4 * (ours - theirs) + units)


@pytest.mark.parametrize(("flow", "cells"), [("without-bottom-up", 3), ("without-top-down", 1)])
def test_a_cell_that_reads_no_memory_has_no_weights_for_it(flow: MemoryFlow, cells: int) -> None:
    full = parameter_count(shape_only(PredRNNConfig(hidden=128), (1, 64, 64), 0))
    model = shape_only(PredRNNConfig(hidden=128, memory_flow=flow), (1, 64, 64), 0)
    inputs = DEPTH if flow == "without-top-down" else WIDTH
    assert full - parameter_count(model) == cells * TAPS * WIDTH * (3 * WIDTH + inputs)


def test_actions_cost_less_than_in_the_authors_code() -> None:
    """4 x 128 on BAIR, 12 frames: their code takes each action through its convolutions.

    Here four maps, of the unit actions, serve all eleven steps of eight clips, and mixing them and
    the bias is extra, as is `ours - theirs` of the decoupling.
    """
    config = PredRNNConfig(hidden=128, patch=None, residual=True, bias=True)
    model = shape_only(config, (3, 64, 64), 4)
    assert parameter_count(model) == 33_556_096
    encoder = TAPS * (4 * 64 * 32 * 32 + 64 * 128 * 16 * 16)
    layers = 4 * TAPS * WIDTH * 4 * WIDTH * 16 * 16
    mixing = 4 * (4 + 1) * 4 * WIDTH * 16 * 16
    saved = 2 * ((encoder + layers) * (11 * 8 - 4) // 8 - 11 * mixing)
    theirs = 2 * 2 * WIDTH**2 * 16 * 16
    ours = 2 * (2 * WIDTH) ** 2 * 16 * 16 + 3 * 2 * WIDTH**3
    decoupling = 11 * (4 * (ours - theirs) + 2 * WIDTH**3 // 8)
    assert forward_flops(model, 12, batch=8) == 189_846_519_808 - saved + decoupling
