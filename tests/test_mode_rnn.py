"""ModeRNN against its equations, restated with loops in float64."""

import math

import torch
from torch import Tensor, nn

from worldmodel.layers.mode_cell import ModeCell
from worldmodel.models.mode_rnn import ModeRNN, ModeRNNConfig


def naive_conv(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Convolution of (C, h, w) by its definition: a sum over taps."""
    side = conv.weight.shape[-1]
    pad = side // 2
    padded = torch.zeros(x.shape[0], x.shape[1] + 2 * pad, x.shape[2] + 2 * pad, dtype=x.dtype)
    padded[:, pad : pad + x.shape[1], pad : pad + x.shape[2]] = x
    outputs, per_group = conv.weight.shape[:2]
    y = torch.zeros(outputs, *x.shape[1:], dtype=x.dtype)
    for o in range(outputs):
        first = o // (outputs // conv.groups) * per_group
        for c in range(per_group):
            for i in range(side):
                for j in range(side):
                    tap = padded[first + c, i : i + x.shape[1], j : j + x.shape[2]]
                    y[o] += conv.weight[o, c, i, j] * tap
        if conv.bias is not None:
            y[o] += conv.bias[o]
    return y


def naive_projection(x: Tensor, layers: nn.Module) -> Tensor:
    depthwise1, pointwise1, norm, depthwise2, pointwise2 = layers.children()
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == 1
    for conv in (depthwise1, pointwise1):
        assert isinstance(conv, nn.Conv2d)
        x = naive_conv(x, conv)
    spread = (x - x.mean()).square().mean()
    x = (x - x.mean()) / (spread + norm.eps).sqrt()
    x = x * norm.weight[:, None, None] + norm.bias[:, None, None]
    for conv in (depthwise2, pointwise2):
        assert isinstance(conv, nn.Conv2d)
        x = naive_conv(x, conv)
    return x


def naive_cell(cell: ModeCell, x: Tensor, hidden: Tensor, bus: Tensor) -> tuple[Tensor, Tensor]:
    """Equations (2) to (7) for one sample: X, H and B of shape (d, h, w)."""
    both = torch.cat([x, hidden])  # I = [X, H]
    width, h, w = both.shape
    per_slot = width // cell.slots
    q, k, v = (
        naive_projection(source, layers)
        for source, layers in ((bus, cell.query), (both, cell.key), (both, cell.value))
    )
    ffn = cell.slot_ffn
    slots = []
    for n in range(cell.slots):
        part = slice(n * per_slot, (n + 1) * per_slot)
        attended = torch.zeros(per_slot, h, w, dtype=x.dtype)
        for i in range(h * w):  # Eqn. 3.
            query = q[part].reshape(per_slot, -1)[:, i]
            scores = torch.stack(
                [query @ k[part].reshape(per_slot, -1)[:, j] for j in range(h * w)]
            ) / math.sqrt(per_slot)
            weights = scores.exp() / scores.exp().sum()
            for j in range(h * w):
                value = v[part].reshape(per_slot, -1)[:, j]
                attended[:, i // w, i % w] += weights[j] * value
        own = nn.Conv2d(per_slot, width, 3, padding=1, dtype=x.dtype)  # Eqn. 4.
        assert ffn.bias is not None
        own.weight.data = ffn.weight[n * width : (n + 1) * width]
        own.bias = nn.Parameter(ffn.bias[n * width : (n + 1) * width])
        slots.append(naive_conv(attended, own).clamp_min(0))
    pooled = torch.stack([both[c].sum() / (h * w) for c in range(width)])  # Eqn. 5.
    squeezed = cell.squeeze.weight @ pooled + cell.squeeze.bias
    scores = cell.importance.weight @ squeezed + cell.importance.bias
    omega = 1 / (1 + (-scores).exp())
    fused = omega[0] * both  # Eqn. 6.
    for n, slot in enumerate(slots):
        fused = fused + omega[n + 1] * slot
    gates = naive_conv(torch.cat([fused, both]), cell.gates)  # Eqn. 7.
    g, i, f, o = gates.reshape(4, -1, h, w)
    bus = torch.sigmoid(f + cell.forget_bias) * bus + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(bus), bus


def test_cell_is_the_equations() -> None:
    cell = ModeCell(6, 6, slots=3, gate_kernel=3, forget_bias=1.0, action_features=None).double()
    x, hidden, bus = torch.randn(3, 2, 6, 3, 4, dtype=torch.float64)
    new_hidden, new_bus = cell(x, hidden, bus, None)
    for b in range(2):
        expected_hidden, expected_bus = naive_cell(cell, x[b], hidden[b], bus[b])
        torch.testing.assert_close(new_hidden[b], expected_hidden, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(new_bus[b], expected_bus, rtol=1e-10, atol=1e-12)


def test_layers_stack_within_a_step() -> None:
    config = ModeRNNConfig(layers=2, hidden=4, slots=2, patch=2, learned_initial_bus=True)
    model = ModeRNN((1, 4, 4), 0, config).double().eval()
    nn.init.normal_(model.bus_mean)
    state = model.initial_state(1)
    frame = torch.rand(1, 1, 4, 4, dtype=torch.float64)
    prediction, state = model.step(frame, frame.new_zeros(1, 0), state)

    patches = torch.stack([frame[0, 0, i::2, j::2] for i in range(2) for j in range(2)])
    embedding, output = model.codec.embedding, model.codec.output
    assert isinstance(embedding, nn.Conv2d)
    x = naive_conv(patches, embedding)
    for layer, cell in enumerate(model.cells):
        assert isinstance(cell, ModeCell)
        bus = model.bus_mean[layer][:, None, None].expand(4, 2, 2)
        x, bus = naive_cell(cell, x, torch.zeros(4, 2, 2, dtype=torch.float64), bus)
        torch.testing.assert_close(state[f"bus{layer}"][0], bus, rtol=1e-10, atol=1e-12)
    top = naive_conv(x, output)
    for i in range(2):
        for j in range(2):
            torch.testing.assert_close(prediction[0, 0, i::2, j::2], top[2 * i + j])


def test_importance_weights_lie_between_zero_and_one() -> None:
    cell = ModeCell(4, 4, slots=2, gate_kernel=1, forget_bias=1.0, action_features=None)
    weights = cell.weights(torch.randn(5, 8, 3, 3))
    assert weights.shape == (5, 3)
    assert ((weights > 0) & (weights < 1)).all()


def test_the_initial_bus_is_drawn_in_training_and_its_mean_in_evaluation() -> None:
    model = ModeRNN((1, 4, 4), 0, ModeRNNConfig(layers=1, hidden=4, slots=2, patch=2))
    nn.init.constant_(model.bus_mean, 3.0)
    nn.init.constant_(model.bus_log_std, math.log(0.5))
    drawn = model.train().initial_state(2000)["bus0"].detach()
    assert abs(float(drawn.mean()) - 3.0) < 0.05
    assert abs(float(drawn.std()) - 0.5) < 0.05
    assert torch.equal(model.eval().initial_state(2)["bus0"], torch.full((2, 4, 2, 2), 3.0))
