"""Slot attention against the thesis' numbers and its definition, restated with loops."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from naive_objects import naive_slots
from parity import relative_error
from parity_objects import compare_slot_attention
from published_rims import slot_attention_from_published

from worldmodel.errors import InputError
from worldmodel.layers.slot_attention import SlotAttention


@pytest.mark.data
def test_numbers_of_the_thesis(fixtures: Path) -> None:
    with np.load(fixtures / "slot_attention_thesis.npz") as file:
        arrays = {name: file[name] for name in file.files}
    config = json.loads(str(arrays.pop("config")))
    results = list(compare_slot_attention(arrays, config))
    assert [name for name, _, _ in results] == ["out/slots"]
    assert relative_error(results[0][1], results[0][2]) <= 1e-5


@pytest.mark.data
def test_missing_and_unknown_weights_are_named(fixtures: Path) -> None:
    with np.load(fixtures / "slot_attention_thesis.npz") as file:
        arrays = {name: file[name] for name in file.files}
    config = json.loads(str(arrays["config"]))
    weights = {n[2:]: torch.from_numpy(w) for n, w in arrays.items() if n.startswith("w/")}
    weights["project_z.weight"] = weights.pop("project_v.weight")
    with pytest.raises(InputError, match=r"missing value\.weight; unknown project_z\.weight"):
        slot_attention_from_published(config, weights)


def test_it_is_its_definition() -> None:
    module = SlotAttention(5, slots=3, width=4, mlp=6).double().eval()
    features = torch.randn(2, 7, 5, dtype=torch.float64)
    slots = module(features)
    for b in range(2):
        expected = naive_slots(module, features[b], module.noise.kept)
        torch.testing.assert_close(slots[b], expected, rtol=1e-10, atol=1e-12)


def test_slots_trade_places_with_their_noise() -> None:
    module = SlotAttention(5, slots=3, width=4)
    features, noise = torch.randn(2, 7, 5), torch.randn(2, 3, 4)
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(
        module.refine(features, noise[:, order]), module.refine(features, noise)[:, order]
    )


def test_slots_stay_apart_in_evaluation() -> None:
    module = SlotAttention(5, slots=3, width=4).eval()
    features = torch.randn(2, 7, 5)
    slots = module(features)
    assert torch.equal(slots, module(features))
    assert torch.pdist(slots[0]).min() > 1e-2
    alike = module.refine(features, torch.zeros(2, 3, 4))
    assert torch.pdist(alike[0]).max() < 1e-5


def test_training_draws_the_noise_anew() -> None:
    module = SlotAttention(5, slots=3, width=4).train()
    features = torch.randn(1, 7, 5).expand(2, -1, -1)
    slots = module(features)
    assert not torch.allclose(slots[0], slots[1])
    assert not torch.allclose(slots, module(features))
