"""MIM against its equations, restated with loops in float64."""

from pathlib import Path

import naive
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.mim import MemoryModule, MIMBlock
from worldmodel.layers.recurrent import LayerOutput
from worldmodel.layers.st_lstm import STLSTMCell
from worldmodel.models.mim import MIM, MIMConfig
from worldmodel.models.published.mim import MIM as PUBLISHED

HIDDEN, GRID = 2, (3, 4)


def naive_module(
    module: MemoryModule, x: Tensor, recurrent: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """MIM-N or MIM-S: its output and its new memory."""
    gates = naive.path(x, module.conv_x) + naive.path(recurrent, module.conv_h)
    i, g, f, o = gates.reshape(4, -1, *memory.shape[1:])
    w_i, w_f = module.peephole.reshape(2, *memory.shape)
    i = torch.sigmoid(i + w_i * memory)
    f = torch.sigmoid(f + w_f * memory + module.forget_bias)
    new = f * memory + i * torch.tanh(g)
    return torch.sigmoid(o + module.output_peephole * new) * torch.tanh(new), new


def naive_block(
    block: MIMBlock, x: Tensor, change: Tensor | None, m: Tensor, state: dict[str, Tensor]
) -> dict[str, Tensor]:
    """One step of one sample; there is no change yet at the first frame."""
    d, n = state["difference"], state["nonstationary"]
    if change is not None:
        d, n = naive_module(block.nonstationary, change, d, n)
    t, s = naive_module(block.stationary, d, state["cell"], state["stationary"])
    i_x, g_x, f_x, o_x = naive.path(x, block.conv_x).reshape(4, *x.shape)
    i_h, g_h, o_h = naive.path(state["hidden"], block.conv_h).reshape(3, *x.shape)
    i_m, g_m, f_m, o_m = naive.path(m, block.conv_m).reshape(4, *x.shape)
    gain = torch.sigmoid(i_x + i_h) * torch.tanh(g_x + g_h)
    memory_gain = torch.sigmoid(i_x + i_m) * torch.tanh(g_x + g_m)
    cell = t + gain
    memory = torch.sigmoid(f_x + f_m + block.forget_bias) * m + memory_gain
    gate = torch.sigmoid(o_x + o_h + o_m)
    hidden = gate * torch.tanh(naive.conv(torch.cat([cell, memory]), block.conv_last))
    return {
        "hidden": hidden,
        "cell": cell,
        "difference": d,
        "nonstationary": n,
        "stationary": s,
        "memory": memory,
        "gate": gate,
        "gain": gain,
        "memory gain": memory_gain,
    }


def blocks(*, normalise: bool = False, stationary_gradient: bool = True) -> list[MIMBlock]:
    """A lowest block and one above it, with random numbers where training starts from constants."""
    made = [
        MIMBlock(
            HIDDEN,
            GRID,
            kernel=3,
            normalise=normalise,
            forget_bias=1.0,
            lowest=lowest,
            stationary_gradient=stationary_gradient,
            action_features=None,
        ).double()
        for lowest in (True, False)
    ]
    for parameter in (p for block in made for p in block.parameters()):
        nn.init.normal_(parameter, std=0.5)
    return made


def computed(output: LayerOutput, sample: int) -> dict[str, Tensor]:
    assert output.gate is not None
    assert output.increments is not None
    named = {
        **output.own,
        "memory": output.flow["memory"],
        "gate": output.gate,
        "gain": output.increments[0],
        "memory gain": output.increments[1],
    }
    return {name: value[sample] for name, value in named.items()}


@pytest.mark.parametrize("normalise", [False, True])
@torch.no_grad()
def test_blocks_are_the_equations(normalise: bool) -> None:
    lower, upper = pair = blocks(normalise=normalise)
    own = [block.initial(2, "cpu", torch.float64) for block in pair]
    naive = [[{k: v[b] for k, v in state.items()} for state in own] for b in range(2)]
    inputs, memories = torch.randn(2, 3, 2, HIDDEN, *GRID, dtype=torch.float64)
    for t in range(3):
        low = lower(inputs[t], own[0], {"memory": memories[t]}, None)
        high = upper(low.output, own[1], low.flow, None)
        own = [low.own, high.own]
        for b in range(2):
            change = inputs[t, b] - inputs[t - 1, b] if t else None
            below = naive_block(lower, inputs[t, b], change, memories[t, b], naive[b][0])
            difference = below["difference"] if t else None
            above = naive_block(upper, below["hidden"], difference, below["memory"], naive[b][1])
            naive[b] = [below, above]
            for output, expected in ((low, below), (high, above)):
                ours = computed(output, b)
                for name, value in expected.items():
                    torch.testing.assert_close(ours[name], value, rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_what_stands_still_leaves_nothing_to_the_nonstationary_memory() -> None:
    lowest = blocks()[0]
    own = lowest.initial(1, "cpu", torch.float64)
    x, memory = torch.randn(2, 1, HIDDEN, *GRID, dtype=torch.float64)
    for _ in range(3):
        own = lowest(x, own, {"memory": memory}, None).own
    assert not own["difference"].any()
    assert not own["nonstationary"].any()
    own = lowest(x + 1, own, {"memory": memory}, None).own
    assert own["difference"].abs().min() > 0


def test_gradients_pass_through_the_stationary_memory_unless_they_are_stopped() -> None:
    reached = {}
    for passes in (True, False):
        lowest = blocks(stationary_gradient=passes)[0]
        own = lowest.initial(1, "cpu", torch.float64)
        own["stationary"].requires_grad_()
        flow = {"memory": torch.zeros_like(own["hidden"])}
        output = lowest(torch.ones_like(own["hidden"]), own, flow, None).output
        output.sum().backward()
        reached[passes] = own["stationary"].grad is not None
    assert reached == {True: True, False: False}


def test_decoupling_is_trained_where_it_is_wanted() -> None:
    for wanted, terms in ((True, {"decoupling"}), (False, set())):
        model = MIM((1, 8, 8), 0, MIMConfig(layers=2, hidden=4, memory_decoupling=wanted))
        frame = torch.rand(1, 1, 8, 8)
        _, _, found = model.training_step(frame, torch.zeros(1, 0), model.initial_state(1), frame)
        assert set(found) == terms


def test_the_lowest_layer_is_an_st_lstm() -> None:
    lowest, *above = MIM((1, 8, 8), 0, MIMConfig(layers=3, hidden=4)).cells
    assert isinstance(lowest, STLSTMCell)
    assert [block.lowest for block in above if isinstance(block, MIMBlock)] == [True, False]


def test_one_layer_is_refused() -> None:
    with pytest.raises(InputError, match=r"MIMConfig\.layers: expected at least 2, got 1"):
        MIMConfig(layers=1)


@pytest.mark.data
def test_parameters_are_the_published_ones_but_for_a_convolution_never_used(
    fixtures: Path,
) -> None:
    with np.load(fixtures / "openstl_mim.npz") as file:
        weights = {n[2:]: torch.from_numpy(file[n]) for n in file.files if n.startswith("w/")}
    unused = [f"stlstm_layer_diff.{below}.conv_last.weight" for below in range(2)]
    assert [name for name, w in weights.items() if PUBLISHED.entry(name, w) is None] == unused
    config = PUBLISHED.config(weights, 1)
    ours = sum(p.numel() for p in config.build((1, 16, 16), 0).parameters())
    assert ours == sum(w.numel() for n, w in weights.items() if n not in unused)
