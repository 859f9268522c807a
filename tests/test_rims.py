"""RIMs, OC-RIMs and GRU+CAT against the thesis' numbers and its equations, restated with loops."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from actions import features_of
from naive import normalised, softmax
from naive_objects import SIZES, SMALL, naive_attention, naive_gru, naive_slots
from parity import relative_error
from parity_objects import compare_rim
from published_rims import rim_cell_from_published
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.component_decoders import ComponentDecoder
from worldmodel.layers.frame_encoders import FeatureMapEncoder
from worldmodel.layers.group_gru import GroupGRU
from worldmodel.layers.rim_cell import CellSizes, OwnGRUs, RIMCell, rim_cell
from worldmodel.layers.slot_attention import SlotAttention
from worldmodel.model import WorldModel
from worldmodel.models.gru_cat import GRUCATConfig
from worldmodel.models.rims import RIMs, RIMsConfig

FRAME = (3, 32, 40)


def naive_communication(cell: RIMCell, moved: list[Tensor], sizes: CellSizes, k: int) -> Tensor:
    """What cell k hears (equation 3.18), per head."""
    talk = cell.communication
    weight: dict[str, Tensor] = dict(talk.named_parameters())

    def part(name: str, j: int, head: int, width: int) -> Tensor:
        return (moved[j] @ weight[f"{name}.weight"][j])[head * width : (head + 1) * width]

    heard = []
    for head in range(sizes.communication_heads):
        query = part("query", k, head, sizes.communication_key)
        keys = [part("key", j, head, sizes.communication_key) for j in range(sizes.cells)]
        shares = softmax([query @ key / math.sqrt(sizes.communication_key) for key in keys])
        values = [part("value", j, head, sizes.hidden) for j in range(sizes.cells)]
        heard.append(sum((s * v for s, v in zip(shares, values, strict=True)), query.new_zeros(1)))
    return torch.cat(heard) @ weight["output.weight"][k]


def naive_cell(cell: RIMCell, inputs: Tensor, hidden: Tensor, sizes: CellSizes) -> Tensor:
    """Equations (3.13) to (3.18) for one sample: inputs (N, F) and states (K, D)."""
    read, gru = cell.attention, cell.dynamics
    assert isinstance(gru, OwnGRUs)
    with_null = [*inputs, torch.zeros_like(inputs[0])]
    query: Tensor = read.query.get_parameter("weight")

    def score(k: int, n: int) -> Tensor:
        key = read.key.weight @ with_null[n]
        return (hidden[k] @ query[k]) @ key / math.sqrt(sizes.key)

    weights, active = naive_attention(score, len(with_null), sizes.cells, sizes.active)
    moved = []
    for k in range(sizes.cells):
        value = inputs.new_zeros(sizes.value)
        if k in active:
            for weight, x in zip(weights[k], with_null, strict=True):
                value = value + weight * (read.value.weight @ x)
        moved.append(naive_gru(value, hidden[k], gru.gru, k))
    new = []
    for k in range(sizes.cells):
        heard = naive_communication(cell, moved, sizes, k)
        new.append(moved[k] + heard if k in active else hidden[k])
    return torch.stack(new)


def drawn(module: nn.Module) -> nn.Module:
    """Float64, with weights large enough that the cells differ."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(str(arrays.pop("config")))


@pytest.mark.data
def test_numbers_of_the_thesis_cell(fixtures: Path) -> None:
    arrays, config = load(fixtures / "rim_thesis_cell_k6.npz")
    errors = {name: relative_error(x, ref) for name, x, ref in compare_rim(arrays, config)}
    assert set(errors) == {"out/h", "out/active_mask", "out/input_attention"}
    assert all(error <= 1e-5 for error in errors.values()), errors


@pytest.mark.data
def test_missing_and_unknown_weights_of_the_thesis_are_named(fixtures: Path) -> None:
    arrays, config = load(fixtures / "rim_thesis_cell_k6.npz")
    weights = {n[2:]: torch.from_numpy(w) for n, w in arrays.items() if n.startswith("w/")}
    fewer = {**config, "num_units": 5}
    with pytest.raises(InputError, match=r"unknown rnn\.grus\.5\.weight_ih_l0"):
        rim_cell_from_published(fewer, weights)
    del weights["rnn.grus.2.bias_hh_l0"]
    with pytest.raises(InputError, match=r"missing rnn\.grus\.2\.bias_hh_l0"):
        rim_cell_from_published(config, weights)
    with pytest.raises(InputError, match="num_input_heads: expected 1, got 2"):
        rim_cell_from_published({**config, "num_input_heads": 2}, weights)


@pytest.mark.parametrize("active", [1, 3, 4])
def test_cell_is_the_equations(active: int) -> None:
    sizes = replace(SIZES, active=active)
    cell = drawn(rim_cell(sizes, action_features=None))
    assert isinstance(cell, RIMCell)
    inputs = torch.randn(3, 2, sizes.inputs, dtype=torch.float64)
    hidden = torch.randn(3, sizes.cells, sizes.hidden, dtype=torch.float64)
    new = cell(inputs, hidden, None)
    for b in range(3):
        expected = naive_cell(cell, inputs[b], hidden[b], sizes)
        torch.testing.assert_close(new[b], expected, rtol=1e-10, atol=1e-12)


def test_a_step_of_oc_rims_is_the_equations() -> None:
    config = RIMsConfig(active=3, **SMALL)
    model = drawn(config.build(FRAME, 0))
    assert isinstance(model, RIMs)
    encoder, slots = model.encoder.children()
    assert isinstance(encoder, FeatureMapEncoder)
    assert isinstance(slots, SlotAttention)
    frame = torch.rand(2, *FRAME, dtype=torch.float64)
    state = model.initial_state(2)
    prediction, new = model.step(frame, frame.new_zeros(2, 0), state)
    for b in range(2):
        found = naive_slots(slots, naive_features(encoder, frame[b]), slots.noise.kept)
        hidden = naive_cell(model.cell, found, state["hidden"][b], config.sizes)
        torch.testing.assert_close(new["hidden"][b], hidden, rtol=1e-9, atol=1e-11)
        expected = naive_broadcast(model, hidden)
        # The decoder stores the pixels' positions in float32.
        torch.testing.assert_close(prediction[b], expected, rtol=1e-5, atol=1e-5)


def naive_features(encoder: FeatureMapEncoder, frame: Tensor) -> Tensor:
    """Table A.2 of the thesis, for one frame (C, H, W)."""
    convolutions = [m for m in encoder.convolutions if isinstance(m, nn.Conv2d)]
    position = encoder.convolutions.get_submodule("8").get_submodule("linear")
    assert isinstance(position, nn.Linear)
    x = frame[None]
    for i, conv in enumerate(convolutions):
        x = nn.functional.elu(nn.functional.conv2d(x, conv.weight, conv.bias, stride=2))
        if i < 2:
            x = normalised(x)
    _, _, h, w = x.shape
    vectors = []
    for i in range(h):
        for j in range(w):
            down, right = i / (h - 1), j / (w - 1)
            place = torch.tensor([down, right, 1 - down, 1 - right], dtype=x.dtype)
            vectors.append(encoder.linear(x[0, :, i, j] + position(place)))
    features = nn.functional.elu(torch.stack(vectors))
    return normalised(features)


def naive_broadcast(model: RIMs, hidden: Tensor) -> Tensor:
    """The spatial broadcast decoder of states (K, D), every vector repeated at every pixel."""
    assert isinstance(model.decoder, ComponentDecoder)
    convolutions = [m for m in model.decoder.modules() if isinstance(m, nn.Conv2d)]
    channels, height, width = model.frame_shape
    frames, masks = [], []
    for vector in hidden:
        x = torch.zeros(1, len(vector) + 2, height + 8, width + 8, dtype=hidden.dtype)
        x[0, :-2] = vector[:, None, None]
        for i in range(height + 8):
            x[0, -2, i] = -1 + 2 * i / (height + 7)
        for j in range(width + 8):
            x[0, -1, :, j] = -1 + 2 * j / (width + 7)
        for conv in convolutions[:-1]:
            x = nn.functional.conv2d(x, conv.weight, conv.bias).relu()
        x = convolutions[-1](x)[0]
        frames.append(torch.sigmoid(x[:channels]))
        masks.append(torch.sigmoid(x[channels:]))
    total = torch.stack(masks).sum(dim=0)
    return sum((f * m / total for f, m in zip(frames, masks, strict=True)), torch.zeros(1))


@pytest.mark.parametrize("action_features", [None, 3])
def test_idle_cells_keep_their_state(action_features: int | None) -> None:
    cell = rim_cell(SIZES, action_features=action_features).train()
    action = None if action_features is None else features_of(cell, torch.randn(8, 1, 3))
    inputs, hidden = torch.randn(8, 3, SIZES.inputs), torch.randn(8, SIZES.cells, SIZES.hidden)
    active = cell.attention(inputs, hidden).active
    new = cell(inputs, hidden, action)
    assert active.sum(dim=1).eq(SIZES.active).all()
    assert torch.equal(new[~active], hidden[~active])
    assert (new[active] != hidden[active]).any(dim=1).all()


def test_no_gradient_flows_through_the_move_of_an_idle_cell() -> None:
    cell = drawn(rim_cell(SIZES, action_features=None))
    assert isinstance(cell, RIMCell)
    inputs = torch.randn(1, 3, SIZES.inputs, dtype=torch.float64)
    hidden = torch.randn(1, SIZES.cells, SIZES.hidden, dtype=torch.float64)
    active = cell.attention(inputs, hidden).active[0]
    cell(inputs, hidden, None).square().sum().backward()
    for name, parameter in cell.dynamics.named_parameters():
        assert parameter.grad is not None, name
        moved = parameter.grad.flatten(1).abs().sum(dim=1) > 0
        assert torch.equal(moved, active), name
    heard = cell.communication.value.get_parameter("weight").grad
    assert heard is not None
    assert heard.flatten(1).any(dim=1).all()  # Idle cells are heard.


@pytest.mark.parametrize("decoder", ["SBD", "BCD"])
@pytest.mark.parametrize("inputs", ["embedding", "feature-map", "slots"])
def test_components_add_up_to_the_prediction(inputs: Any, decoder: Any) -> None:
    model = drawn(RIMsConfig(inputs=inputs, decoder=decoder, **SMALL).build(FRAME, 0))
    assert isinstance(model, RIMs)
    frame = torch.rand(2, *FRAME, dtype=torch.float64)
    prediction, state = model.step(frame, frame.new_zeros(2, 0), model.initial_state(2))
    frames, masks = model.components(state)
    assert frames.shape == (2, 4, *FRAME)
    assert masks.shape == (2, 4, 1, *FRAME[1:])
    torch.testing.assert_close(masks.sum(dim=1), torch.ones_like(masks[:, 0]))
    torch.testing.assert_close((frames * masks).sum(dim=1), prediction)
    assert masks.std(dim=1).max() > 1e-3


def test_the_concatenating_decoder_has_no_components() -> None:
    model = RIMsConfig(decoder="CAT", **SMALL).build(FRAME, 0)
    with pytest.raises(InputError, match="CAT has no components; decoders that have: SBD, BCD"):
        model.components(model.initial_state(1))


def test_attention_tells_what_the_next_step_reads() -> None:
    model = drawn(RIMsConfig(active=2, **SMALL).build(FRAME, 0))
    assert isinstance(model, RIMs)
    frame, state = torch.rand(3, *FRAME, dtype=torch.float64), model.initial_state(3)
    _, weights, active = model.attention(frame, state)
    _, new = model.step(frame, frame.new_zeros(3, 0), state)
    assert weights.shape == (3, 4, 3 + 1)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 4, dtype=torch.float64))
    assert torch.equal((new["hidden"] != state["hidden"]).any(dim=2), active)
    for b in range(3):
        assert set(weights[b, :, -1].argsort()[:2].tolist()) == set(
            active[b].nonzero()[:, 0].tolist()
        )


def test_the_initial_state_is_drawn_in_training_and_kept_in_evaluation() -> None:
    model = RIMsConfig(**SMALL).build(FRAME, 0)
    drawn = model.train().initial_state(4000)["hidden"]
    assert drawn.mean(dim=0).abs().max() < 0.08
    assert (drawn.std(dim=0) - 1).abs().max() < 0.08
    first, second = (model.eval().initial_state(2)["hidden"] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first[0], first[1])
    other = RIMsConfig(**SMALL).build(FRAME, 0)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.eval().initial_state(2)["hidden"], first)


def test_gru_cat_is_the_gru_of_torch() -> None:
    model = drawn(GRUCATConfig(hidden=7, features=5).build((1, 32, 32), 0))
    assert isinstance(model, WorldModel)
    assert isinstance(model.cell, GroupGRU)
    paths = (model.cell.input_path, model.cell.hidden_path)
    reference = nn.GRUCell(5, 7).double()
    for path, side in zip(paths, ("ih", "hh"), strict=True):
        assert path.bias is not None
        reference.get_parameter(f"weight_{side}").data = path.weight.data[0].T
        reference.get_parameter(f"bias_{side}").data = path.bias.data[0]
    frame, state = torch.rand(3, 1, 32, 32, dtype=torch.float64), model.initial_state(3)
    _, new = model.step(frame, frame.new_zeros(3, 0), state)
    assert isinstance(model.encoder, nn.Module)
    expected = reference(model.encoder(frame)[:, 0], state["hidden"][:, 0])
    torch.testing.assert_close(new["hidden"][:, 0], expected)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (GRUCATConfig(), 3_890_497),
        (RIMsConfig(inputs="embedding", decoder="CAT"), 3_607_393),
    ],
)
def test_published_sizes(config: GRUCATConfig | RIMsConfig, parameters: int) -> None:
    """Counted in the code of the thesis, with its options for Moving MNIST."""
    model = config.build((1, 64, 64), 0)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize("options", [GRUCATConfig(hidden=8), RIMsConfig(**SMALL)])
def test_an_action_scales_the_hidden_path(options: GRUCATConfig | RIMsConfig) -> None:
    model = drawn(options.build((1, 32, 32), 2))
    assert isinstance(model, WorldModel)
    gru = next(m for m in model.modules() if isinstance(m, GroupGRU))
    assert gru.modulation is not None
    frame, state = torch.rand(2, 1, 32, 32, dtype=torch.float64), model.initial_state(2)
    action = torch.randn(2, 2, dtype=torch.float64)
    _, changed = model.step(frame, action, state)
    with torch.no_grad():
        conv = gru.modulation.conv
        assert conv.bias is not None
        factor = conv.weight[:, :, 0, 0] @ action[0] + conv.bias
        factor = factor.unflatten(0, (gru.groups, -1))
        assert gru.hidden_path.bias is not None
        gru.hidden_path.weight.mul_(factor[:, None])
        gru.hidden_path.bias.mul_(factor)
    gru.modulation = None
    _, expected = model.step(frame, action, state)
    torch.testing.assert_close(changed["hidden"][0], expected["hidden"][0])
    assert not torch.allclose(changed["hidden"][1], expected["hidden"][1])


def test_action_free_models_have_no_action_parameters() -> None:
    for options in (GRUCATConfig(hidden=8), RIMsConfig(**SMALL)):
        model = options.build((1, 32, 32), 0)
        assert not [n for n in model.state_dict() if "modulation" in n or "actions" in n]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cells": 1}, r"RIMsConfig\.cells: expected at least 2, got 1"),
        ({"slots": 1}, r"RIMsConfig\.slots: expected at least 2, got 1"),
        ({"cells": 4, "active": 5}, r"RIMsConfig\.active: expected 1 to 4, got 5"),
        ({"active": 0}, r"RIMsConfig\.active: expected 1 to 6, got 0"),
        ({"dropout": 1.0}, r"RIMsConfig\.dropout: expected 0 to below 1, got 1\.0"),
        ({"decoder": "cat"}, r"\.decoder: expected one of CAT, SBD, BCD, got cat"),
        (
            {"inputs": "slot"},
            r"\.inputs: expected one of embedding, feature-map, slots, got slot",
        ),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RIMsConfig(**options)


@pytest.mark.parametrize("config", [RIMsConfig(), RIMsConfig(inputs="embedding"), GRUCATConfig()])
@pytest.mark.parametrize("size", [(60, 64), (64, 36), (24, 64)])
def test_impossible_frames_are_refused(
    config: RIMsConfig | GRUCATConfig, size: tuple[int, int]
) -> None:
    message = rf"multiples of 8 and at least 32, got \({size[0]}, {size[1]}\)"
    with pytest.raises(InputError, match=message):
        config.build((3, *size), 0)


def test_a_state_without_width_is_refused() -> None:
    with pytest.raises(InputError, match=r"GRUCATConfig\.hidden: expected at least 1, got 0"):
        GRUCATConfig(hidden=0)
