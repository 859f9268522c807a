"""ModeRNN against its equations, restated with loops in float64."""

import itertools
import math
from typing import Any

import naive
import pytest
import torch
from torch import Tensor, nn

from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.layers.mode_cell import ModeCell
from worldmodel.layers.slot_interaction import (
    MultiHeadAttention,
    SlotGraph,
    SlotSplit,
    StateInteraction,
)
from worldmodel.models.mode_rnn import Binding, ModeRNN, ModeRNNConfig
from worldmodel.rollout import unroll

ABLATIONS: dict[str, dict[str, Any]] = {
    "final": {},
    "without-slot-binding": {"binding": None},
    "without-slot-fusion": {"slot_fusion": False},
    "without-per-slot-ffn": {"per_slot_ffn": False},
    "without-gated-shortcut": {"gated_shortcut": False},
    "without-mha": {"binding": "split"},
    "with-gcn": {"binding": "graph"},
    "plain-sum-of-slots": {"slot_fusion": False, "gated_shortcut": False},
    "wide-slots": {"slot_width": 5},
    "graph-of-wide-slots": {"slot_width": 3, "binding": "graph", "per_slot_ffn": False},
    "5x5-gates": {"kernel": 5, "forget_bias": -0.5},
}


def naive_projection(x: Tensor, layers: nn.Module) -> Tensor:
    depthwise1, pointwise1, norm, depthwise2, pointwise2 = layers.children()
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == 1
    x = naive.normalised(naive.conv(naive.conv(x, depthwise1), pointwise1), norm.eps)
    x = x * norm.weight[:, None, None] + norm.bias[:, None, None]
    return naive.conv(naive.conv(x, depthwise2), pointwise2)


def naive_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Equation (3) for one slot, all of shape (width, h, w): every position asks every other."""
    width, h, w = query.shape
    positions = list(itertools.product(range(h), range(w)))
    keys, values = ([maps[:, i, j] for i, j in positions] for maps in (key, value))
    attended = torch.zeros_like(value)
    for i, j in positions:
        attended[:, i, j] = naive.attended(query[:, i, j], keys, values, 1 / math.sqrt(width))
    return attended


def naive_graph(nodes: list[Tensor], conv: nn.Conv2d) -> list[Tensor]:
    """ReLU(X T0 + D^-1/2 A D^-1/2 X T1 + b) at every position, A of the complete graph."""
    slots, (features, h, w) = len(nodes), nodes[0].shape
    adjacency = torch.ones(slots, slots, dtype=torch.float64) - torch.eye(slots)
    degree = torch.diag(adjacency.sum(dim=1) ** -0.5)
    assert conv.bias is not None
    weight, bias = conv.weight[:, :, 0, 0], conv.bias
    own, others = weight[:, :features].T, weight[:, features:].T
    outputs = [torch.zeros(len(weight), h, w, dtype=torch.float64) for _ in nodes]
    for i, j in itertools.product(range(h), range(w)):
        x = torch.stack([node[:, i, j] for node in nodes])
        mixed = x @ own + degree @ adjacency @ degree @ x @ others + bias
        for n in range(slots):
            outputs[n][:, i, j] = mixed[n].clamp_min(0)
    return outputs


def naive_interaction(
    interaction: StateInteraction, both: Tensor, bus: Tensor, config: ModeRNNConfig
) -> list[Tensor]:
    """slot' of every slot."""
    slots = config.slots

    def split(source: Tensor, layers: nn.Module) -> list[Tensor]:
        projected = naive_projection(source, layers)
        width = len(projected) // slots
        return [projected[n * width : (n + 1) * width] for n in range(slots)]

    if config.binding == "split":
        assert isinstance(interaction, SlotSplit)
        return split(both, interaction.value)
    if config.binding == "graph":
        assert isinstance(interaction, SlotGraph)
        queries, values = split(bus, interaction.query), split(both, interaction.value)
        nodes = [torch.cat([q, v]) for q, v in zip(queries, values, strict=True)]
        return naive_graph(nodes, interaction.convolution)
    assert isinstance(interaction, MultiHeadAttention)
    parts = zip(
        split(bus, interaction.query),
        split(both, interaction.key),
        split(both, interaction.value),
        strict=True,
    )
    return [naive_attention(q, k, v) for q, k, v in parts]


def naive_slots(cell: ModeCell, both: Tensor, bus: Tensor, config: ModeRNNConfig) -> list[Tensor]:
    """Equations (3) and (4)."""
    if config.binding is None:
        return []
    assert cell.binding is not None
    ffn, width = cell.binding.ffn, len(both)
    assert ffn.bias is not None
    slots = []
    for n, slot in enumerate(naive_interaction(cell.binding.interaction, both, bus, config)):
        first = n * width if config.per_slot_ffn else 0
        own = slice(first, first + width)
        slots.append(naive.convolved(slot, ffn.weight[own], ffn.bias[own]).clamp_min(0))
    return slots


def naive_fusion(
    cell: ModeCell, both: Tensor, slots: list[Tensor], config: ModeRNNConfig
) -> Tensor:
    """Equations (5) and (6)."""
    parts = [both, *slots] if config.gated_shortcut else slots
    if not config.slot_fusion:
        return torch.stack(parts).sum(dim=0)
    squeeze, importance = cell.fusion.squeeze, cell.fusion.importance
    assert squeeze is not None
    assert importance is not None
    _, h, w = both.shape
    pooled = torch.stack([channel.sum() / (h * w) for channel in both])
    scores = importance.weight @ (squeeze.weight @ pooled + squeeze.bias) + importance.bias
    assert len(scores) == len(parts)
    fused = torch.zeros_like(both)
    for score, part in zip(scores, parts, strict=True):
        fused += part / (1 + math.exp(-score))
    return fused


def naive_cell(
    cell: ModeCell, x: Tensor, hidden: Tensor, bus: Tensor, config: ModeRNNConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Equations (2) to (7) for one sample: X, H and B of shape (d, h, w) to new H, B and gate."""
    both = torch.cat([x, hidden])  # I = [X, H]
    slots = naive_slots(cell, both, bus, config)
    fused = naive_fusion(cell, both, slots, config)
    g, i, f, o = naive.conv(torch.cat([fused, both]), cell.gates).reshape(4, *bus.shape)  # Eqn. 7.
    bus = torch.sigmoid(f + config.forget_bias) * bus + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(bus), bus, torch.sigmoid(o)


def one_cell(config: ModeRNNConfig, grid: tuple[int, int], action_dim: int = 0) -> ModeCell:
    """The first cell of a model in float64, none of whose parameters is zero or one."""
    model = config.build((1, *grid), action_dim).double()
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    cell = model.cells[0]
    assert isinstance(cell, ModeCell)
    return cell


@torch.no_grad()
def check_cell(config: ModeRNNConfig, grid: tuple[int, int]) -> None:
    cell = one_cell(config, grid)
    x, hidden, bus = torch.randn(3, 2, config.hidden, *grid, dtype=torch.float64)
    output = cell(x, {"hidden": hidden, "bus": bus}, {}, None)
    assert output.output is output.own["hidden"]
    for b in range(2):
        expected = naive_cell(cell, x[b], hidden[b], bus[b], config)
        for new, old in zip((output.output, output.own["bus"], output.gate), expected, strict=True):
            torch.testing.assert_close(new[b], old, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("options", ABLATIONS.values(), ids=list(ABLATIONS))
def test_cell_is_the_equations(options: dict[str, Any]) -> None:
    check_cell(ModeRNNConfig(hidden=3, patch=1, slots=3, **options), (3, 4))


@pytest.mark.parametrize("slots", range(1, 10))
def test_any_number_of_slots(slots: int) -> None:
    for slot_width in (round(6 / slots), 2):
        check_cell(ModeRNNConfig(hidden=3, patch=1, slots=slots, slot_width=slot_width), (2, 2))


@torch.no_grad()
def test_an_action_modulates_the_hidden_state() -> None:
    config = ModeRNNConfig(layers=1, hidden=4, patch=1, slots=2)
    model = config.build((1, 2, 3), 2).double().eval()
    nn.init.normal_(model.get_parameter("cells.0.modulation.conv.bias"))
    cell = model.cells[0]
    assert isinstance(cell, ModeCell)
    assert cell.recall is not None
    assert cell.modulation is not None
    hidden, bus = torch.randn(2, 4, 2, 3, dtype=torch.float64)
    frame, action = torch.rand(1, 1, 2, 3).double(), torch.tensor([[0.5, -2.0]]).double()
    state = model.initial_state(1)
    state["hidden0"], state["bus0"] = hidden[None], bus[None]
    _, state = model.step(frame, action, state)

    planes = action[0, :, None, None].expand(2, 2, 3)
    embedded = naive.conv(frame[0], model.get_submodule("codec.embedding"))
    factor = naive.conv(planes, cell.modulation.conv)
    hidden = naive.conv(hidden, cell.recall) * factor
    expected = naive_cell(cell, embedded, hidden, bus, config)
    torch.testing.assert_close(state["hidden0"][0], expected[0], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state["bus0"][0], expected[1], rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_an_action_modulates_input_and_hidden_state_as_in_the_authors_code() -> None:
    """Their forward: `combined = cat([x, h]) * LayerNorm(conv3x3(a))`, and no H without it."""
    config = ModeRNNConfig(layers=1, hidden=4, patch=1, slots=2, modulated="input")
    model = config.build((1, 2, 3), 2).double().eval()
    naive.lively(model)
    cell = model.cells[0]
    assert isinstance(cell, ModeCell)
    assert cell.recall is None
    assert cell.modulation is not None
    hidden, bus = torch.randn(2, 4, 2, 3, dtype=torch.float64)
    frame, action = torch.rand(1, 1, 2, 3).double(), torch.tensor([[0.5, -2.0]]).double()
    state = model.initial_state(1)
    state["hidden0"], state["bus0"] = hidden[None], bus[None]
    _, state = model.step(frame, action, state)

    planes = action[0, :, None, None].expand(2, 2, 3)
    embedded = naive.conv(frame[0], model.get_submodule("codec.embedding"))
    factor = naive.path(planes, nn.Sequential(cell.modulation.conv, cell.modulation.norm))
    assert factor.shape == (8, 2, 3)
    x, hidden = (torch.cat([embedded, hidden]) * factor).split(4)
    expected = naive_cell(cell, x, hidden, bus, config)
    torch.testing.assert_close(state["hidden0"][0], expected[0], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state["bus0"][0], expected[1], rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_layers_stack_within_a_step() -> None:
    config = ModeRNNConfig(layers=2, hidden=4, slots=2, patch=2)
    model = config.build((1, 4, 4), 0).double().eval()
    cells = [cell for cell in model.cells if isinstance(cell, ModeCell)]
    for cell in cells:
        assert cell.bus_mean is not None
        nn.init.normal_(cell.bus_mean)
    state = model.initial_state(1)
    frame = torch.rand(1, 1, 4, 4, dtype=torch.float64)
    prediction, state = model.step(frame, frame.new_zeros(1, 0), state)

    patches = torch.stack([frame[0, 0, i::2, j::2] for i in range(2) for j in range(2)])
    x = naive.conv(patches, model.get_submodule("codec.embedding"))
    for layer, cell in enumerate(cells):
        assert cell.bus_mean is not None
        bus = cell.bus_mean[:, None, None].expand(4, 2, 2)
        hidden = torch.zeros(4, 2, 2, dtype=torch.float64)
        x, bus, _ = naive_cell(cell, x, hidden, bus, config)
        torch.testing.assert_close(state[f"bus{layer}"][0], bus, rtol=1e-10, atol=1e-12)
    assert torch.equal(model.latent(state), state["bus1"])
    top = naive.conv(x, model.get_submodule("codec.output"))
    for i in range(2):
        for j in range(2):
            torch.testing.assert_close(prediction[0, 0, i::2, j::2], top[2 * i + j])


def test_importance_weights_lie_between_zero_and_one() -> None:
    fusion = one_cell(ModeRNNConfig(hidden=4, patch=1, slots=2), (3, 3)).fusion
    weights = fusion.weights(torch.randn(5, 8, 3, 3, dtype=torch.float64))
    assert weights.shape == (5, 3)
    assert ((weights > 0) & (weights < 1)).all()


def test_the_initial_bus_is_drawn_in_training_and_its_mean_in_evaluation() -> None:
    model = ModeRNN((1, 4, 4), 0, ModeRNNConfig(layers=1, hidden=4, slots=2, patch=2))
    nn.init.constant_(model.get_parameter("cells.0.bus_mean"), 3.0)
    nn.init.constant_(model.get_parameter("cells.0.bus_log_std"), math.log(0.5))
    drawn = model.train().initial_state(2000)["bus0"].detach()
    assert abs(float(drawn.mean()) - 3.0) < 0.05
    assert abs(float(drawn.std()) - 0.5) < 0.05
    assert torch.equal(model.eval().initial_state(2)["bus0"], torch.full((2, 4, 2, 2), 3.0))


def test_an_unlearned_initial_bus_is_zero_even_in_training() -> None:
    model = ModeRNNConfig(layers=1, hidden=4, patch=2, learned_initial_bus=False).build(
        (1, 4, 4), 0
    )
    assert torch.equal(model.train().initial_state(2)["bus0"], torch.zeros(2, 4, 2, 2))


@torch.no_grad()
def test_a_residual_model_that_outputs_nothing_predicts_no_change() -> None:
    model = ModeRNNConfig(layers=1, hidden=4, patch=2, residual=True).build((3, 4, 4), 0)
    nn.init.zeros_(model.get_parameter("codec.output.weight"))
    frame = torch.rand(2, 3, 4, 4)
    prediction, _ = model.step(frame, torch.zeros(2, 0), model.initial_state(2))
    assert torch.equal(prediction, frame)


def test_strided_convolutions_keep_their_kernel_whatever_the_gates() -> None:
    model = ModeRNNConfig(layers=1, hidden=4, kernel=1, patch=None).build((3, 8, 12), 0)
    assert model.get_parameter("codec.input1.weight").shape == (2, 3, 5, 5)
    assert model.initial_state(1)["bus0"].shape == (1, 4, 2, 3)


# --- Options


@pytest.mark.parametrize("binding", ["attention", "graph", "split", None])
def test_no_combination_of_options_leaves_a_parameter_unused(binding: Binding | None) -> None:
    names = ("per_slot_ffn", "slot_fusion", "gated_shortcut", "learned_initial_bus")
    clip = Clip.checked(torch.rand(2, 4, 1, 4, 4), torch.randn(2, 3, 1))
    for values in itertools.product((True, False), repeat=len(names)):
        options: dict[str, Any] = dict(zip(names, values, strict=True))
        if binding is None and not all(values[:3]):
            with pytest.raises(InputError, match="binding is None and there are no slots"):
                ModeRNNConfig(binding=binding, **options)
            continue
        config = ModeRNNConfig(layers=1, hidden=4, patch=2, binding=binding, **options)
        model = config.build((1, 4, 4), 1).train()
        predictions, _ = unroll(model, clip, torch.ones(2, 3))
        (predictions - clip.frames[:, 1:]).square().mean().backward()
        lacking = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert (options, lacking) == (options, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slots": 0}, r"ModeRNNConfig\.slots: expected at least 1, got 0"),
        ({"slots": 6}, "slots: 6 does not divide the 128 .* slot_width"),
        ({"slot_width": 0}, r"\.slot_width: expected at least 1, got 0"),
        ({"kernel": 2}, r"ModeRNNConfig\.kernel: expected an odd number, got 2"),
        ({"binding": "graph", "slots": 1}, "'graph' expects at least 2 .* got 1"),
        ({"modulated": "bus"}, r"\.modulated: expected one of hidden, input, got bus"),
        (
            {"binding": "mha"},
            r"\.binding: expected one of attention, graph, split, got mha",
        ),
        (
            {"binding": None, "gated_shortcut": False},
            r"\.gated_shortcut: expected True where binding is None .* got False",
        ),
        (
            {"binding": None, "slot_width": 8},
            r"\.slot_width: expected None where binding is None .* got 8",
        ),
    ],
)
def test_contradictory_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModeRNNConfig(**options)


def size(**options: Any) -> int:
    with torch.device("meta"):
        model = ModeRNNConfig(**options).build((3, 64, 64), 0)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_size_is_that_of_the_equations(kernel: int) -> None:
    d, both, slots = 64, 128, 4

    def separable(inputs: int) -> int:
        return 9 * inputs + inputs * both + 2 * both + 9 * both + both * both + both

    projections = separable(d) + 2 * separable(both) - both  # keys have no bias
    networks = slots * (9 * both // slots * both + both)
    weights = both * both // 2 + both // 2 + both // 2 * (slots + 1) + slots + 1
    gates = 4 * (kernel**2 * 2 * both * d + d)
    bus = 2 * d
    embedding, output = 48 * d + d, d * 48
    cells = 4 * (projections + networks + weights + gates + bus)
    assert size(kernel=kernel) == cells + embedding + output


def test_the_two_halves_of_table_v() -> None:
    """At about the same width in total the size stays; at the same width per slot it grows."""
    final = size()
    for slots in range(1, 10):
        assert size(slots=slots, slot_width=round(128 / slots)) == pytest.approx(final, rel=0.01)
    for per_slot in ([{"slot_width": 32}] * 9, [{"hidden": 16 * n} for n in range(1, 10)]):
        sizes = [size(slots=n, **options) for n, options in enumerate(per_slot, start=1)]
        assert sizes == sorted(set(sizes))
        assert sizes[3] == final
