"""MoDeRNN against its equations, restated with loops in float64, and the authors' numbers."""

from itertools import product
from pathlib import Path

import naive
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from worldmodel.complexity import forward_flops, parameter_count, shape_only
from worldmodel.errors import InputError
from worldmodel.layers.detail_cell import DetailAttention, DetailCell, DetailContextBlock
from worldmodel.models.motion_details_rnn import MotionDetailsRNN, MotionDetailsRNNConfig
from worldmodel.models.published.motion_details_rnn import MOTION_DETAILS_RNN
from worldmodel.models.published.translation import load_published


def naive_attention(attention: DetailAttention, x: Tensor) -> Tensor:
    paths = [naive.path(x, conv) for conv in attention.convs]
    assert [len(conv.get_parameter("0.weight")[0, 0]) for conv in attention.convs] == [3, 5, 7]
    return 2 / (1 + torch.exp(-(paths[0] + paths[1] + paths[2]) / 3))


def naive_cell(cell: nn.Module, x: Tensor, hidden: Tensor, memory: Tensor, turns: int) -> Tensor:
    """Equations 2 and 3 for one sample, gates in the order i, f, g, o; hidden state and cell."""
    assert isinstance(cell, DetailCell)
    for turn in range(1, turns + 1):
        if turn % 2:
            x = naive_attention(cell.details.by_context, hidden) * x
        else:
            hidden = naive_attention(cell.details.by_input, x) * hidden
    i, f, g, o = (naive.path(x, cell.conv_x) + naive.path(hidden, cell.conv_h)).chunk(4)
    memory = torch.sigmoid(f + 0.5) * memory + torch.sigmoid(i) * torch.tanh(g)
    memory = naive.normalised(memory) * cell.norm_cell.weight + cell.norm_cell.bias
    return torch.stack((torch.sigmoid(o) * torch.tanh(memory), memory))


def naive_patches(frame: Tensor) -> Tensor:
    """Pixel (row, column) of channel c goes to channel (2 c + column) 2 + row."""
    channels, height, width = frame.shape
    patches = torch.zeros(4 * channels, height // 2, width // 2, dtype=frame.dtype)
    for c, row, column in product(range(channels), range(height), range(width)):
        place = (2 * c + column % 2) * 2 + row % 2
        patches[place, row // 2, column // 2] = frame[c, row, column]
    return patches


@torch.no_grad()
@pytest.mark.parametrize("turns", [2, 5])
def test_model_is_the_equations(turns: int) -> None:
    config = MotionDetailsRNNConfig(layers=2, hidden=2, patch=2, half_steps=turns, forget_bias=0.5)
    model = MotionDetailsRNN((2, 4, 6), 0, config).double()
    naive.lively(model)
    state, carried = model.initial_state(1), torch.zeros(2, 2, 2, 2, 3, dtype=torch.float64)
    for frame in torch.rand(3, 1, 2, 4, 6, dtype=torch.float64):
        prediction, state = model.step(frame, frame.new_zeros(1, 0), state)
        x = naive.conv(naive_patches(frame[0]), model.codec.get_submodule("embedding"))
        for layer, cell in enumerate(model.cells):
            carried[layer] = naive_cell(cell, x, carried[layer, 0], carried[layer, 1], turns)
            x = carried[layer, 0]
            torch.testing.assert_close(state[f"hidden{layer}"][0], x, rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(state[f"cell{layer}"][0], carried[layer, 1])
        output = naive.conv(x, model.codec.get_submodule("output"))
        torch.testing.assert_close(naive_patches(prediction[0]), output, rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_a_block_that_attends_to_nothing_changes_nothing() -> None:
    block = DetailContextBlock(3, 2, (4, 5), half_steps=5)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x, context = torch.randn(2, 3, 4, 5), torch.randn(2, 2, 4, 5)
    for before, after in zip((x, context), block(x, context), strict=True):
        assert torch.equal(before, after)


@pytest.mark.data
def test_detail_context_block_has_the_published_numbers(fixtures: Path) -> None:
    with np.load(fixtures / "motion_details_rnn_official.npz") as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files if name != "config"}
    weights = {name[2:]: array for name, array in arrays.items() if name.startswith("w/")}
    frame_shape = (1, 16, 16)
    config = MOTION_DETAILS_RNN.config(weights, frame_shape[0])
    model = load_published(MOTION_DETAILS_RNN, config, frame_shape, weights)
    x, context = model.get_submodule("cells.0.details")(arrays["dcb/x"], arrays["dcb/h"])
    torch.testing.assert_close(x, arrays["dcb/out_x"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(context, arrays["dcb/out_h"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "parameters", "flops"),
    [(3, 5_867_600, 77_639_712_768), (5, 7_964_752, 98_040_807_424)],
)
def test_size_and_cost_are_those_of_the_authors_code(
    kernel: int, parameters: int, flops: int
) -> None:
    model = shape_only(MotionDetailsRNNConfig(kernel=kernel), (1, 64, 64), 0)
    assert parameter_count(model) == parameters
    assert 19 * forward_flops(model, 2) == flops  # 10 frames to 10


def test_an_untrained_residual_model_predicts_nearly_no_change() -> None:
    config = MotionDetailsRNNConfig(layers=1, hidden=8, patch=2, residual=True)
    frame, model = torch.rand(1, 1, 8, 8), config.build((1, 8, 8), 0)
    prediction, _ = model.step(frame, frame.new_zeros(1, 0), model.initial_state(1))
    assert (prediction - frame).abs().max() < 0.2


def test_a_block_with_unused_weights_is_refused() -> None:
    with pytest.raises(InputError, match="half_steps: expected at least 2, got 1"):
        MotionDetailsRNNConfig(half_steps=1)
