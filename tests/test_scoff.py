"""SCOFF against the thesis' equations, restated with loops in float64."""

from dataclasses import replace
from typing import Any

import naive_objects
import pytest
import torch
from actions import features_of
from naive import softmax
from naive_objects import naive_attention, naive_gru
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.rim_cell import RIMCell
from worldmodel.layers.scoff_cell import SharedRules, scoff_cell
from worldmodel.models.scoff import SCOFF, SCOFFConfig

SIZES = replace(naive_objects.SIZES, active=3)
SMALL: dict[str, Any] = {**naive_objects.SMALL, "rule_key": 4}


def cell_of(rules: int = 3, action_features: int | None = None) -> RIMCell:
    cell = scoff_cell(SIZES, rules=rules, key=4, temperature=0.5, action_features=action_features)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    return cell.double()


def rules_of(cell: RIMCell) -> SharedRules:
    assert isinstance(cell.dynamics, SharedRules)
    return cell.dynamics


def weight(module: nn.Module) -> Tensor:
    return module.get_parameter("weight")


def naive_cell(cell: RIMCell, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, list[int]]:
    """Equations (3.14) to (3.18) and (3.24) to (3.28), without noise, and the rules chosen."""
    read, rules, talk = cell.attention, rules_of(cell), cell.communication
    with_null = [*inputs, torch.zeros_like(inputs[0])]

    def score(k: int, n: int) -> Tensor:
        return (weight(read.query) @ hidden[k]) @ (read.key.weight @ with_null[n]) / 3**0.5

    weights, active = naive_attention(score, len(with_null), SIZES.cells, SIZES.active)
    moved, chosen = [], []
    for k in range(SIZES.cells):
        value = inputs.new_zeros(SIZES.value)
        if k in active:
            for share, x in zip(weights[k], with_null, strict=True):
                value = value + share * (read.value.weight @ x)
        candidates = [naive_gru(value, hidden[k], rules.gru, j) for j in range(rules.rules)]
        query = rules.query.weight @ hidden[k]
        matches = [(query @ (rules.key.weight @ candidate)).item() for candidate in candidates]
        chosen.append(matches.index(max(matches)))
        moved.append(candidates[chosen[-1]])
    new = []
    for k in range(SIZES.cells):
        heard = []
        for head in range(2):
            at_key, at_value = slice(3 * head, 3 * head + 3), slice(6 * head, 6 * head + 6)
            query = (weight(talk.query) @ moved[k])[at_key]
            scores = [query @ (weight(talk.key) @ m)[at_key] / 3**0.5 for m in moved]
            said = [(weight(talk.value) @ m)[at_value] for m in moved]
            shares = softmax(scores)
            heard.append(torch.stack([s * v for s, v in zip(shares, said, strict=True)]).sum(0))
        context = weight(talk.output) @ torch.cat(heard)
        new.append(moved[k] + context if k in active else hidden[k])
    return torch.stack(new), chosen


def sample(batch: int) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(batch, 2, SIZES.inputs, dtype=torch.float64)
    return inputs, torch.randn(batch, SIZES.cells, SIZES.hidden, dtype=torch.float64)


def test_cell_is_the_equations() -> None:
    cell = cell_of().eval()
    inputs, hidden = sample(6)
    new = cell(inputs, hidden, None)
    used = set()
    for b in range(6):
        expected, chosen = naive_cell(cell, inputs[b], hidden[b])
        torch.testing.assert_close(new[b], expected, rtol=1e-10, atol=1e-12)
        used.update(chosen)
    assert used == {0, 1, 2}


def test_object_files_differ_in_their_states_alone() -> None:
    cell = cell_of().eval()
    inputs, hidden = sample(5)
    order = torch.tensor([3, 1, 0, 2])
    torch.testing.assert_close(
        cell(inputs, hidden[:, order], None), cell(inputs, hidden, None)[:, order]
    )


def test_idle_object_files_keep_their_state() -> None:
    cell = cell_of().train()
    inputs, hidden = sample(5)
    active = cell.attention(inputs, hidden).active
    new = cell(inputs, hidden, None)
    assert torch.equal(new[~active], hidden[~active])
    assert (new[active] != hidden[active]).any(dim=1).all()


def test_training_draws_a_rule_with_the_probability_of_its_match() -> None:
    """The Gumbel-max theorem: whatever the temperature, P(j) is the softmax of the matches."""
    match = torch.tensor([0.3, -0.5, 1.2], dtype=torch.float64)
    choice = rules_of(cell_of().train()).choice(match.expand(1, 20000, 3))
    assert set(choice.unique().tolist()) == {0.0, 1.0}
    assert choice.sum(dim=2).eq(1).all()
    assert (choice.mean(dim=(0, 1)) - torch.softmax(match, 0)).abs().max() < 0.015


def test_the_gradient_of_a_choice_is_the_soft_choices() -> None:
    rules = rules_of(cell_of().train())
    match = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randn(2, 4, 3, dtype=torch.float64)
    torch.manual_seed(1)
    (rules.choice(match) * target).sum().backward()
    torch.manual_seed(1)
    gumbel = -torch.empty_like(match).exponential_().log()
    soft = torch.softmax((match + gumbel) / 0.5, dim=2)
    (expected,) = torch.autograd.grad((soft * target).sum(), match)
    torch.testing.assert_close(match.grad, expected)


def test_rules_that_are_not_chosen_learn_too() -> None:
    cell = cell_of(rules=5).train()
    inputs, hidden = sample(1)
    cell(inputs, hidden, None).square().sum().backward()
    for name, parameter in rules_of(cell).gru.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.flatten(1).any(dim=1).all(), name


def test_evaluation_takes_the_best_match() -> None:
    rules = rules_of(cell_of().eval())
    match = torch.randn(3, 4, 3)
    choice = rules.choice(match)
    assert torch.equal(choice.argmax(dim=2), match.argmax(dim=2))
    assert torch.equal(choice, rules.choice(match))


def test_an_action_moves_every_object_file_alike() -> None:
    cell = cell_of(action_features=2).eval()
    inputs, hidden = sample(3)
    order = torch.tensor([3, 1, 0, 2])
    one, other = (features_of(cell, torch.randn(3, 1, 2, dtype=torch.float64)) for _ in range(2))
    new = cell(inputs, hidden, one)
    torch.testing.assert_close(cell(inputs, hidden[:, order], one), new[:, order])
    assert (new - cell(inputs, hidden, other)).abs().amax(dim=2).gt(1e-4).sum() >= 3 * SIZES.active


@pytest.mark.parametrize("decoder", ["SBD", "BCD"])
def test_components_add_up_to_the_prediction(decoder: Any) -> None:
    model = SCOFFConfig(decoder=decoder, **SMALL).build((3, 32, 40), 0).double().eval()
    frame = torch.rand(2, 3, 32, 40, dtype=torch.float64)
    prediction, state = model.step(frame, frame.new_zeros(2, 0), model.initial_state(2))
    frames, masks = model.components(state)
    torch.testing.assert_close(masks.sum(dim=1), torch.ones_like(masks[:, 0]))
    torch.testing.assert_close((frames * masks).sum(dim=1), prediction)


def test_object_files_stay_apart_in_evaluation() -> None:
    model = SCOFFConfig(**SMALL).build((1, 32, 32), 0).eval()
    assert isinstance(model, SCOFF)
    state = model.initial_state(1)
    frame = torch.rand(1, 1, 32, 32)
    for _ in range(4):
        frame, state = model.step(frame, frame.new_zeros(1, 0), state)
    assert torch.pdist(state["hidden"][0]).min() > 1e-2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rules": 1}, r"SCOFFConfig\.rules: expected at least 2, got 1"),
        ({"rule_key": 0}, r"SCOFFConfig\.rule_key: expected at least 1, got 0"),
        ({"temperature": 0.0}, r"temperature: expected a positive number, got 0\.0"),
        ({"cells": 3, "active": 4}, r"SCOFFConfig\.active: expected 1 to 3, got 4"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SCOFFConfig(**options)
