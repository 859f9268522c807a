"""What is computed once, recomputed or stored changes no number."""

import pytest
import torch
from spots import SpotModel, positions, seeded, seeing, spot
from torch import Tensor
from torch.nn.functional import normalize, scaled_dot_product_attention

from worldmodel.clip import Clip
from worldmodel.layers.attention import attention
from worldmodel.layers.decoupling import decoupling
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.objective import objective
from worldmodel.rollout import imagine, observe, unroll

CONFIGS: dict[str, ModelConfig] = {
    "predrnn": PredRNNConfig(layers=2, hidden=8, kernel=3, bias=True, residual=True),
    "predrnn-strided": PredRNNConfig(layers=2, hidden=8, kernel=3, patch=None),
    "mode-rnn": ModeRNNConfig(layers=2, hidden=8, slots=2),
}


def model_of(name: str) -> WorldModel:
    torch.manual_seed(0)
    return CONFIGS[name].build((3, 16, 16), 2).double()


def a_clip(length: int = 5) -> Clip:
    torch.manual_seed(1)
    return Clip.checked(
        torch.rand(2, length, 3, 16, 16).double(), torch.randn(2, length - 1, 2).double()
    )


@pytest.mark.parametrize("environments", [1, 2])
def test_equal_candidates_are_imagined_once(environments: int) -> None:
    start, goal = spot(positions([4.0, 4.0], [9.0, 6.0])), spot(positions([8.0, 8.0], [5.0, 9.0]))
    start, cost = start[:environments], GoalImage(goal[:environments])
    distinct = torch.rand(environments, 4, 3, 2, generator=seeded()) - 0.5
    order = torch.tensor([2, 0, 2, 3, 0, 1, 3])
    model = SpotModel()
    costs = objective(seeing(model, start), cost)(distinct[:, order])
    assert model.batches == [4 * environments] * 3
    expected = objective(seeing(SpotModel(), start), cost)(distinct)
    torch.testing.assert_close(costs, expected[:, order])


def test_candidates_that_differ_in_one_environment_are_imagined() -> None:
    start, model = spot(positions([4.0, 4.0], [9.0, 6.0])), SpotModel()
    actions = torch.zeros(2, 3, 2, 2)
    actions[1, :, 0, 0] = torch.tensor([0.0, 0.1, 0.0])
    costs = objective(seeing(model, start), GoalImage(spot(positions([8.0, 8.0]))))(actions)
    assert model.batches == [4, 4]
    assert costs[1, 0] == costs[1, 2] != costs[1, 1]


def test_equal_candidates_have_gradients_of_their_own() -> None:
    foresight = seeing(SpotModel(), spot(positions([4.0, 4.0])))
    actions = torch.full((1, 3, 2, 2), 0.1, requires_grad=True)
    costs = objective(foresight, GoalImage(spot(positions([8.0, 8.0]))))(actions)
    (gradients,) = torch.autograd.grad(costs[0, 1], actions)
    assert gradients[0, 1].abs().min() > 0
    assert gradients[0, [0, 2]].abs().max() == 0


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_what_candidates_share_in_the_first_step_is_computed_once(name: str) -> None:
    model = model_of(name).eval()
    clip = a_clip()
    state = observe(model, clip.frames[:1, :3], clip.actions[:1, :2])
    actions = torch.randn(4, 3, 2).double()
    shared, copied = state.expand(4), state.expand(4).clone()
    batches: list[int] = []
    hooks = [
        part.register_forward_hook(lambda _m, given, _o: batches.append(len(given[0])))
        for part in model.modules()
        if isinstance(part, torch.nn.Conv2d)
    ]
    once = [step.frame for step in imagine(model, shared, actions)]
    first = batches.index(4)
    assert batches[:first].count(1) > 1
    assert set(batches[:first]) <= {1, 2}, "one present and two unit actions"
    for hook in hooks:
        hook.remove()
    each = [step.frame for step in imagine(model, copied, actions)]
    torch.testing.assert_close(once, each, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CONFIGS)
def test_recomputed_steps_have_the_same_gradients(name: str) -> None:
    model, clip = model_of(name).train(), a_clip()
    mask = torch.tensor([[True, True, False, True], [True, False, True, False]])
    gradients = []
    for checkpointing in (False, True):
        model.zero_grad()
        torch.manual_seed(3)
        predictions, terms = unroll(model, clip, mask, checkpointing)
        loss = (predictions - clip.frames[:, 1:]).square().mean() + sum(terms.values())
        loss.backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_recomputed_steps_keep_less_for_the_gradient() -> None:
    model, clip = model_of("predrnn").train(), a_clip(12)
    kept = []
    for checkpointing in (False, True):
        stored: dict[int, int] = {}

        def pack(x: Tensor, stored: dict[int, int] = stored) -> Tensor:
            stored[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            unroll(model, clip, torch.ones(2, 11, dtype=torch.bool), checkpointing)
        kept.append(sum(stored.values()))
    assert kept[1] < kept[0] / 3


@pytest.mark.parametrize("scale", [None, 1.0])
def test_stored_attention_is_the_fused_one(scale: float | None) -> None:
    torch.manual_seed(0)
    shapes = ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6))
    query, key, value = (torch.randn(shape).double().requires_grad_() for shape in shapes)
    stored = attention(query, key, value, scale=scale)
    fused = scaled_dot_product_attention(query, key, value, scale=scale)
    torch.testing.assert_close(stored, fused, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(attention(query, key, value, scale=scale), fused)


def test_decoupling_is_the_cosine_of_the_adapted_increments() -> None:
    torch.manual_seed(0)
    adapter = torch.nn.Conv2d(6, 6, 1, bias=False).double()
    increments = [tuple(torch.randn(2, 2, 6, 4, 5).double().requires_grad_()) for _ in range(3)]
    terms = []
    for cell, memory in increments:
        units = (normalize(adapter(maps).flatten(2), dim=2) for maps in (cell, memory))
        cosines = torch.stack([a * b for a, b in [tuple(units)]]).sum(3)
        terms.append(cosines.abs().mean())
    found = decoupling(adapter, increments)  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(found, torch.stack(terms).mean(), rtol=1e-10, atol=1e-12)


def test_memories_that_gained_nothing_have_no_direction() -> None:
    adapter = torch.nn.Conv2d(2, 2, 1, bias=False)
    nothing = torch.zeros(1, 2, 3, 3, requires_grad=True)
    term = decoupling(adapter, [(nothing, torch.randn(1, 2, 3, 3))])
    term.backward()
    assert term == 0
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()


def test_a_state_that_no_clip_has_seen_takes_the_memory_of_one() -> None:
    state = model_of("predrnn").initial_state(64)
    assert {value.stride(0) for _, value in state.items()} == {0}
