"""ConvLSTM against its equations, restated with loops in float64, and against OpenSTL's sizes."""

import naive
import pytest
import torch
from torch import Tensor, nn

from worldmodel.complexity import forward_flops, parameter_count, shape_only
from worldmodel.layers.conv_lstm import ConvLSTMCell
from worldmodel.models.conv_lstm import ConvLSTM, ConvLSTMConfig
from worldmodel.models.published.conv_lstm import CONV_LSTM
from worldmodel.models.published.translation import load_published

Carried = tuple[Tensor, Tensor]


def naive_cell(
    cell: nn.Module, x: Tensor, hidden: Tensor, memory: Tensor, *, legacy: bool
) -> Carried:
    """Equation 2 of PredRNN-V2 without peepholes; gates in the order i, f, g, o."""
    assert isinstance(cell, ConvLSTMCell)
    i_x, f_x, g_x, o_x = naive.path(x, cell.conv_x).chunk(4)
    i_h, f_h, g_h, o_h = naive.path(hidden, cell.conv_h).chunk(4)
    g = torch.tanh(g_x + g_h)
    memory = torch.sigmoid(f_x + f_h + 0.5) * memory + torch.sigmoid(i_x + i_h) * g
    return torch.sigmoid(o_x + o_h) * (g if legacy else memory.tanh()), memory


@torch.no_grad()
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_model_is_the_equations(layer_norm: bool, legacy: bool) -> None:
    config = ConvLSTMConfig(
        layers=2, hidden=2, kernel=3, patch=1, layer_norm=layer_norm, forget_bias=0.5, legacy=legacy
    )
    model = ConvLSTM((1, 3, 4), 0, config).double()
    naive.lively(model)
    state = model.initial_state(1)
    carried = [(torch.zeros(2, 3, 4).double(), torch.zeros(2, 3, 4).double())] * 2
    for frame in torch.rand(3, 1, 1, 3, 4, dtype=torch.float64):
        prediction, state = model.step(frame, frame.new_zeros(1, 0), state)
        x = frame[0]
        for layer, cell in enumerate(model.cells):
            carried[layer] = naive_cell(cell, x, *carried[layer], legacy=legacy)
            x = carried[layer][0]
            torch.testing.assert_close(state[f"hidden{layer}"][0], x)
            torch.testing.assert_close(state[f"cell{layer}"][0], carried[layer][1])
        torch.testing.assert_close(
            prediction[0], naive.conv(x, model.codec.get_submodule("output"))
        )


@pytest.mark.parametrize("legacy", [False, True])
def test_the_cell_reaches_the_prediction_except_in_the_legacy_forward(legacy: bool) -> None:
    model = ConvLSTMConfig(layers=1, hidden=4, kernel=3, legacy=legacy).build((1, 8, 8), 0)
    frame, state = torch.rand(1, 1, 8, 8), model.initial_state(1)
    before, _ = model.step(frame, frame.new_zeros(1, 0), state)
    state["cell0"] = state["cell0"] + 1
    after, _ = model.step(frame, frame.new_zeros(1, 0), state)
    assert torch.equal(before, after) == legacy


@pytest.mark.parametrize(
    ("hidden", "published", "unused"),
    [(128, 15_083_520, 3_407_872), (192, 33_782_784, 7_667_712)],
)
def test_size_and_cost_are_those_of_openstl(hidden: int, published: int, unused: int) -> None:
    """Its parameters without the unused `conv_o` and `conv_last` of every cell."""
    model = shape_only(ConvLSTMConfig(hidden=hidden), (1, 64, 64), 0)
    assert unused == 4 * 2 * hidden * hidden * (5 * 5 + 1)
    assert parameter_count(model) == published - unused
    assert forward_flops(model, 20) == 2 * parameter_count(model) * 16 * 16 * 19


@pytest.mark.parametrize("layer_norm", [False, True])
def test_published_names_and_sizes_are_understood(layer_norm: bool) -> None:
    config = ConvLSTMConfig(layers=3, hidden=6, kernel=3, patch=2, layer_norm=layer_norm)
    model = config.build((3, 8, 4), 0)
    weights = {
        name.replace("cells.", "cell_list.").replace("codec.output.", "conv_last."): value
        for name, value in model.state_dict().items()
    }
    for layer in range(3):
        weights[f"cell_list.{layer}.conv_o.0.weight"] = torch.rand(6, 12, 3, 3)
        weights[f"cell_list.{layer}.conv_last.weight"] = torch.rand(6, 12, 1, 1)
        if layer_norm:
            weights[f"cell_list.{layer}.conv_o.1.weight"] = torch.rand(6, 4, 2)
            weights[f"cell_list.{layer}.conv_o.1.bias"] = torch.rand(6, 4, 2)
    assert CONV_LSTM.config(weights, 3) == config
    loaded = load_published(CONV_LSTM, config, (3, 8, 4), weights)
    assert all(torch.equal(loaded.state_dict()[name], v) for name, v in model.state_dict().items())
