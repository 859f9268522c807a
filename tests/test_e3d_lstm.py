"""E3D-LSTM against its equations, restated with loops in float64."""

import functools
import itertools
from pathlib import Path

import naive
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from worldmodel.clip import Clip
from worldmodel.layers.e3d_lstm import E3DLSTMCell
from worldmodel.layers.eidetic_recall import eidetic_recall, openstl_recall
from worldmodel.layers.window_convolution import WindowConvolution
from worldmodel.models.e3d_lstm import E3DLSTM, E3DLSTMConfig
from worldmodel.models.published.e3d_lstm import E3D_LSTM
from worldmodel.rollout import observe, predict

HIDDEN, WINDOW, GRID = 2, 2, (2, 3)


def naive_norm(y: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Layer normalisation of a window (C, slices, h, w)."""
    scale, shift = norm.weight.reshape(y.shape), norm.bias.reshape(y.shape)
    return naive.normalised(y, norm.eps) * scale + shift


def naive_conv(x: Tensor, layer: WindowConvolution, *, repeat: bool = False) -> Tensor:
    """A convolution of a window (C, slices, h, w) by its definition."""
    weight, bias = layer.conv.weight.unflatten(1, (-1, layer.depth)), layer.conv.bias
    outputs, _, depth, side, _ = weight.shape
    slices, h, w = x.shape[1:]
    y = torch.zeros(outputs, slices, h, w, dtype=x.dtype)
    for z, row, column in itertools.product(range(slices), range(h), range(w)):
        for k, i, j in itertools.product(range(depth), range(side), range(side)):
            # With a kernel of depth 2, a slice sees itself and the newer one; OpenSTL computes
            # only the oldest slice and repeats it.
            s, r, c = (k if repeat else z + k), row + i - side // 2, column + j - side // 2
            if s < slices and 0 <= r < h and 0 <= c < w:
                y[:, z, row, column] += weight[:, :, k, i, j] @ x[:, s, r, c]
    if bias is not None:
        y += bias[:, None, None, None]
    return naive_norm(y, layer.norm) if isinstance(layer.norm, nn.LayerNorm) else y


def naive_recall(query: Tensor, history: list[Tensor]) -> Tensor:
    """Every position of every slice of the query over every position of every memory."""
    positions = list(itertools.product(*(range(n) for n in query.shape[1:])))
    memories = [maps[:, z, r, c] for maps in history for z, r, c in positions]
    recalled = torch.zeros_like(query)
    for z, r, c in positions:
        recalled[:, z, r, c] = naive.attended(query[:, z, r, c], memories, memories)
    return recalled


def naive_openstl_recall(query: Tensor, history: list[Tensor]) -> Tensor:
    """The same over runs of C numbers, in the order channel, slice, row, column."""
    channels = query.shape[0]
    memories = [run for maps in history for run in maps.flatten().split(channels)]
    values = [naive.attended(run, memories, memories) for run in query.flatten().split(channels)]
    return torch.cat(values).reshape(query.shape)


def naive_cell(
    cell: E3DLSTMCell, x: Tensor, hidden: Tensor, history: list[Tensor], m: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of one sample on windows (C, slices, h, w): the new H, C and M."""
    window, conv = hidden.shape, functools.partial(naive_conv, repeat=cell.openstl)
    i_x, g_x, r_x, o_x, im_x, gm_x, fm_x = conv(x, cell.conv_x).reshape(7, *window)
    i_h, g_h, r_h, o_h = conv(hidden, cell.conv_h).reshape(4, *window)
    i, g, r = torch.sigmoid(i_x + i_h), torch.tanh(g_x + g_h), torch.sigmoid(r_x + r_h)
    recall = naive_openstl_recall if cell.openstl else naive_recall
    new = i * g + naive_norm(history[-1] + recall(r, history), cell.norm)
    if cell.conv_m is not None:
        i_m, g_m, f_m = conv(m, cell.conv_m).reshape(3, *window)
        kept = m
    else:
        assert cell.memory_gates is not None
        i_m, f_m, g_m, kept = cell.memory_gates.reshape(4, *window)
        kept = torch.tanh(kept)
    forget = torch.sigmoid(fm_x + f_m + cell.forget_bias)
    memory = torch.sigmoid(im_x + i_m) * torch.tanh(gm_x + g_m) + forget * kept
    o = o_x + o_h + conv(new, cell.output_c) + conv(memory, cell.output_m)
    gate = torch.sigmoid(torch.tanh(o) if cell.openstl else o)
    both = naive_conv(torch.cat([new, memory]), cell.conv_last)
    return gate * torch.tanh(both), new, memory


def cell_of(*, bottom: bool, normalise: bool, openstl: bool) -> E3DLSTMCell:
    cell = E3DLSTMCell(
        3 if bottom else HIDDEN,
        HIDDEN,
        GRID,
        window=WINDOW,
        kernel=3,
        memory_window=None,
        normalise=normalise,
        forget_bias=1.0,
        bottom=bottom,
        openstl=openstl,
        action_features=None,
    ).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    return cell


@pytest.mark.parametrize("bottom", [True, False])
@pytest.mark.parametrize(("normalise", "openstl"), [(False, False), (True, False), (True, True)])
@torch.no_grad()
def test_cell_is_the_equations(bottom: bool, normalise: bool, openstl: bool) -> None:
    cell = cell_of(bottom=bottom, normalise=normalise, openstl=openstl)
    assert (cell.conv_x.conv.bias is None) == openstl
    own = cell.initial(2, "cpu", torch.float64)
    shape = (HIDDEN, WINDOW, *GRID)
    hidden = [torch.zeros(shape, dtype=torch.float64)] * 2
    history = [[torch.zeros(shape, dtype=torch.float64)] for _ in range(2)]
    inputs = torch.randn(3, 2, 3 if bottom else HIDDEN * WINDOW, *GRID, dtype=torch.float64)
    memories = torch.randn(3, 2, HIDDEN * WINDOW, *GRID, dtype=torch.float64)
    for t in range(3):
        output = cell(inputs[t], own, {"memory": memories[t]}, None)
        own = output.own
        for b in range(2):
            x = inputs[t, b].reshape(-1, WINDOW, *GRID) if not bottom else None
            if x is None:
                before = inputs[t - 1, b] if t else torch.zeros_like(inputs[t, b])
                x = torch.stack([before, inputs[t, b]], dim=1)
            m = memories[t, b].reshape(shape)
            hidden[b], new, memory = naive_cell(cell, x, hidden[b], history[b], m)
            history[b].append(new)
            expected = hidden[b].flatten(0, 1)
            torch.testing.assert_close(output.output[b], expected, rtol=1e-10, atol=1e-12)
            stored = torch.stack(history[b]).flatten(1, 2)
            torch.testing.assert_close(own["history"][b], stored, rtol=1e-10, atol=1e-12)
            if not openstl:
                passed = output.flow["memory"][b].reshape(shape)
                torch.testing.assert_close(passed, memory, rtol=1e-10, atol=1e-12)


def test_recall_does_not_depend_on_where_and_when_something_was_stored() -> None:
    query, history = torch.rand(1, 6, 2, 3), torch.randn(1, 4, 6, 2, 3)
    moved = history[:, torch.randperm(4)].flip(3, 4)
    torch.testing.assert_close(eidetic_recall(query, moved, 3), eidetic_recall(query, history, 3))
    assert not torch.allclose(openstl_recall(query, moved, 3), openstl_recall(query, history, 3))


def test_recall_of_a_single_channel_has_nothing_to_mix_up() -> None:
    query, history = torch.rand(1, 2, 2, 3), torch.randn(1, 4, 2, 2, 3)
    torch.testing.assert_close(openstl_recall(query, history, 1), eidetic_recall(query, history, 1))


def test_the_history_grows_by_one_per_step_up_to_the_memory_window() -> None:
    frames, actions = torch.rand(1, 5, 1, 8, 8), torch.zeros(1, 4, 0)
    for memory_window, stored in ((None, 5), (3, 3), (1, 1)):
        config = E3DLSTMConfig(layers=2, hidden=2, memory_window=memory_window)
        state = observe(E3DLSTM((1, 8, 8), 0, config).eval(), frames, actions)
        assert state["recurrent", "history1"].shape == (1, stored, 4, 2, 2)


@torch.no_grad()
def test_a_memory_window_past_the_clip_recalls_everything() -> None:
    clip = Clip.checked(torch.rand(2, 6, 1, 8, 8), torch.zeros(2, 5, 0))
    predictions = {}
    for memory_window in (None, 6, 1):
        torch.manual_seed(0)
        config = E3DLSTMConfig(layers=2, hidden=4, memory_window=memory_window)
        predictions[memory_window] = predict(E3DLSTM((1, 8, 8), 0, config).eval(), clip, 2)
    torch.testing.assert_close(predictions[6], predictions[None])
    assert (predictions[1] - predictions[None]).abs().max() > 1e-5


@pytest.mark.parametrize("layer_norm", [False, True])
@torch.no_grad()
def test_openstl_computes_something_else_from_the_same_weights(layer_norm: bool) -> None:
    clip = Clip.checked(torch.rand(1, 4, 1, 8, 8), torch.zeros(1, 3, 0))
    paper, openstl = (
        E3DLSTM((1, 8, 8), 0, E3DLSTMConfig(layers=2, hidden=4, layer_norm=layer_norm, openstl=o))
        for o in (False, True)
    )
    lacking, _ = openstl.load_state_dict(paper.state_dict(), strict=False)
    assert [name.split(".")[-1] for name in lacking] == ["memory_gates"] * 2 * layer_norm
    assert paper.initial_state(1).get("memory", None) is not None
    assert openstl.initial_state(1).get("memory", None) is None
    apart = predict(paper.eval(), clip, 2) - predict(openstl.eval(), clip, 2)
    assert apart.abs().max() > 1e-3


@pytest.mark.data
def test_parameters_are_the_published_ones_but_for_those_of_a_memory_that_stays_zero(
    fixtures: Path,
) -> None:
    with np.load(fixtures / "openstl_e3dlstm.npz") as file:
        weights = {n[2:]: torch.from_numpy(file[n]) for n in file.files if n.startswith("w/")}
        norms = {n: float(file[f"gradnorm/{n}"]) for n in weights}
    unused = [name for name, w in weights.items() if E3D_LSTM.entry(name, w) is None]
    assert unused == [name for name, norm in norms.items() if norm == 0]
    config = E3D_LSTM.config(weights, 1)
    ours = sum(p.numel() for p in config.build((1, 16, 16), 0).parameters())
    assert ours == sum(w.numel() for n, w in weights.items() if n not in unused)
