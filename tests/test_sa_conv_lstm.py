"""SA-ConvLSTM against its equations, restated position by position in float64."""

import naive
import pytest
import torch
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.sa_conv_lstm import SAConvLSTMCell
from worldmodel.layers.self_attention_memory import SelfAttentionMemory
from worldmodel.models.sa_conv_lstm import SAConvLSTMConfig


def matrix(conv: nn.Conv2d) -> Tensor:
    """Weights (outputs, inputs) of a 1x1 convolution."""
    return conv.weight[:, :, 0, 0]


def naive_memory(module: SelfAttentionMemory, hidden: Tensor, memory: Tensor) -> list[Tensor]:
    """Figure 1 of the paper for one sample: H and M of shape (C, h, w) to the new ones."""
    assert module.gates.bias is not None
    keys = (module.of_memory[0], module.of_hidden[2])
    w_hq, w_hk, w_hv = matrix(module.project_hidden).split((keys[0], *keys))
    w_mk, w_mv = matrix(module.project_memory).split(keys)
    w_mi, w_mg, w_mo = matrix(module.gates).chunk(3)
    b_mi, b_mg, b_mo = module.gates.bias.chunk(3)
    places = [(i, j) for i in range(hidden.shape[1]) for j in range(hidden.shape[2])]
    h = [hidden[:, i, j] for i, j in places]
    m = [memory[:, i, j] for i, j in places]
    new_hidden, new_memory = torch.empty_like(hidden), torch.empty_like(memory)
    for n, (i, j) in enumerate(places):
        z_h = naive.attended(w_hq @ h[n], [w_hk @ x for x in h], [w_hv @ x for x in h])
        z_m = naive.attended(w_hq @ h[n], [w_mk @ x for x in m], [w_mv @ x for x in m])
        z = matrix(module.aggregate) @ torch.cat((z_h, z_m))
        both = torch.cat((z, h[n]))
        write = torch.sigmoid(w_mi @ both + b_mi)
        new_memory[:, i, j] = (1 - write) * m[n] + write * torch.tanh(w_mg @ both + b_mg)
        new_hidden[:, i, j] = torch.sigmoid(w_mo @ both + b_mo) * new_memory[:, i, j]
    return [new_hidden, new_memory]


def sharpen(module: nn.Module) -> None:
    """Give it weights of a size at which every term counts, in float64."""
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=0.7)


@torch.no_grad()
@pytest.mark.parametrize("keys", [2, 4])
def test_memory_is_the_equations(keys: int) -> None:
    module = SelfAttentionMemory(4, keys)
    sharpen(module)
    hidden, memory = torch.randn(2, 2, 4, 2, 3, dtype=torch.float64)
    actual = module(hidden, memory)
    for b in range(2):
        for got, expected in zip(actual, naive_memory(module, hidden[b], memory[b]), strict=True):
            torch.testing.assert_close(got[b], expected, rtol=1e-10, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("normalise", [False, True])
def test_cell_is_a_conv_lstm_before_the_memory(normalise: bool) -> None:
    cell = SAConvLSTMCell(
        3, 4, (2, 3), kernel=3, key=2, normalise=normalise, action_features=None
    ).double()
    sharpen(cell.attention_memory)
    x = torch.randn(2, 3, 2, 3, dtype=torch.float64)
    hidden, memory_cell, memory = torch.randn(3, 2, 4, 2, 3, dtype=torch.float64)
    own = {"hidden": hidden, "cell": memory_cell, "memory": memory}
    actual = cell(x, own, {}, None)

    weight = torch.cat((cell.lstm.input_path.weight, cell.lstm.hidden_path.weight), dim=1)
    both = torch.cat((x, hidden), dim=1)
    gates = nn.functional.conv2d(both, weight, cell.lstm.hidden_path.bias, padding=1)
    i, f, o, g = gates.chunk(4, dim=1)
    new_cell = torch.sigmoid(f) * memory_cell + torch.sigmoid(i) * torch.tanh(g)
    before = torch.sigmoid(o) * torch.tanh(new_cell)
    for b in range(2):
        new_hidden, new_memory = naive_memory(cell.attention_memory, before[b], memory[b])
        for name, new in (("hidden", new_hidden), ("cell", new_cell[b]), ("memory", new_memory)):
            torch.testing.assert_close(actual.own[name][b], new, rtol=1e-10, atol=1e-12)
        if normalise:
            new_hidden = naive.normalised(new_hidden)
        torch.testing.assert_close(actual.output[b], new_hidden, rtol=1e-10, atol=1e-12)


def test_the_weights_of_a_query_sum_to_one() -> None:
    """Where all positions hold the same value, every weighted mean is that value."""
    module = SelfAttentionMemory(4, 4)
    sharpen(module)
    module.aggregate.weight.data = torch.eye(4, 8, dtype=torch.float64).roll(4, 1)[..., None, None]
    memory = torch.randn(1, 4, 1, 1, dtype=torch.float64)
    values = matrix(module.project_memory)[4:] @ memory[0, :, 0, 0]
    hidden = 5 * torch.randn(1, 4, 3, 3, dtype=torch.float64)
    answer = module.attend(hidden, memory.expand(-1, -1, 3, 3))
    torch.testing.assert_close(answer, values[None, :, None, None].expand_as(answer))


def test_positions_are_a_set_to_the_memory() -> None:
    module = SelfAttentionMemory(4, 3)
    sharpen(module)
    hidden, memory = torch.randn(2, 1, 4, 3, 5, dtype=torch.float64)
    order = torch.randperm(15)

    def shuffled(maps: Tensor) -> Tensor:
        return maps.flatten(2)[..., order].reshape(maps.shape)

    moved = module(shuffled(hidden), shuffled(memory))
    for got, stayed in zip(moved, module(hidden, memory), strict=True):
        torch.testing.assert_close(got, shuffled(stayed))


def test_impossible_options_are_refused() -> None:
    with pytest.raises(InputError, match=r"SAConvLSTMConfig\.key: expected at least 1, got 0"):
        SAConvLSTMConfig(key=0)
    with pytest.raises(InputError, match=r"SAConvLSTMConfig\.kernel: expected an odd number"):
        SAConvLSTMConfig(kernel=4)
