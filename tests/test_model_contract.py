"""What every architecture must do, run over all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.rollout import advance, imagine, observe, predict, unroll


@dataclass(frozen=True)
class Case:
    """One architecture under one set of options."""

    config: ModelConfig
    action_dim: int
    frame_shape: tuple[int, int, int] = (3, 16, 16)

    def model(self) -> WorldModel:
        torch.manual_seed(0)
        return self.config.build(self.frame_shape, self.action_dim).eval()

    def clip(self, batch: int = 3, time: int = 6) -> Clip:
        torch.manual_seed(1)
        frames = torch.rand(batch, time, *self.frame_shape)
        return Clip.checked(frames, torch.randn(batch, time - 1, self.action_dim))


PREDRNN = PredRNNConfig(layers=2, hidden=8, kernel=3, patch=4)
PREDRNN_V2_ACTIONS = PredRNNConfig(
    layers=2, hidden=8, kernel=3, bias=True, patch=None, residual=True
)
NORMALISED = PredRNNConfig(layers=2, hidden=8, kernel=3, layer_norm=True, memory_decoupling=False)
MODE_RNN = ModeRNNConfig(layers=2, hidden=8, slots=4, patch=4)
CASES = {
    "predrnn": Case(PREDRNN, 0),
    "predrnn-wide-gray": Case(PREDRNN, 0, (1, 8, 24)),
    "predrnn-9-channels": Case(PREDRNN, 2, (9, 16, 16)),
    "predrnn-actions": Case(PREDRNN_V2_ACTIONS, 4),
    "predrnn-actions-patches": Case(
        PredRNNConfig(layers=2, hidden=8, kernel=3, bias=True, residual=True), 2
    ),
    "predrnn-layer-norm": Case(NORMALISED, 3),
    "mode-rnn": Case(MODE_RNN, 0),
    "mode-rnn-wide-gray": Case(MODE_RNN, 0, (1, 8, 24)),
    "mode-rnn-actions": Case(ModeRNNConfig(2, 8, slots=2, residual=True), 4),
    "mode-rnn-zero-bus": Case(ModeRNNConfig(2, 8, learned_initial_bus=False), 2),
}
WITH_ACTIONS = {name: case for name, case in CASES.items() if case.action_dim}


def over(cases: dict[str, Case]) -> Callable[..., object]:
    return pytest.mark.parametrize("case", list(cases.values()), ids=list(cases))


def same(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@over(CASES)
@pytest.mark.parametrize(("context", "time"), [(1, 2), (1, 5), (3, 8)])
def test_any_context_and_horizon(case: Case, context: int, time: int) -> None:
    prediction = predict(case.model(), case.clip(2, time), context)
    assert prediction.shape == (2, time - context, *case.frame_shape)
    assert prediction.isfinite().all()


@over(CASES)
def test_later_frames_change_no_earlier_prediction(case: Case) -> None:
    model, clip, mask = case.model(), case.clip(), torch.ones(3, 5)
    before, _ = unroll(model, clip, mask)
    clip.frames[:, 3] = torch.rand_like(clip.frames[:, 3])
    after, _ = unroll(model, clip, mask)
    same(before[:, :3], after[:, :3])
    assert (before[:, 3] - after[:, 3]).abs().max() > 1e-6


@over(WITH_ACTIONS)
def test_an_action_changes_the_future_only(case: Case) -> None:
    model, clip = case.model(), case.clip()
    before = predict(model, clip, 2)
    clip.actions[:, 3] += 1.0
    after = predict(model, clip, 2)
    same(before[:, :2], after[:, :2])
    assert (before[:, 2] - after[:, 2]).abs().max() > 1e-6


@over(CASES)
def test_a_clip_predicts_the_same_alone_and_in_a_batch(case: Case) -> None:
    model, clip = case.model(), case.clip()
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(2):
        predictions, _ = unroll(model, clip, torch.ones(3, 5))
        optimizer.zero_grad()
        (predictions - clip.frames[:, 1:]).square().mean().backward()
        optimizer.step()
    model.eval()
    together = predict(model, clip, 2)
    for i in range(3):
        same(together[i : i + 1], predict(model, clip[i : i + 1], 2))


@over(CASES)
def test_state_expands_indexes_and_gathers(case: Case) -> None:
    model, clip = case.model(), case.clip()
    state = observe(model, clip.frames[:, :3], clip.actions[:, :2])
    order = torch.tensor([2, 0, 0, 1])
    same(
        imagine(model, state[order], clip.actions[order, 2:]),
        imagine(model, state, clip.actions[:, 2:])[order],
    )
    candidates = torch.randn(4, 2, case.action_dim)
    expanded = imagine(model, state[:1].expand(4), candidates)
    for n in range(4):
        same(expanded[n : n + 1], imagine(model, state[:1], candidates[n : n + 1]))


@over(CASES)
def test_advancing_equals_observing_all_at_once(case: Case) -> None:
    model, clip = case.model(), case.clip()
    state = observe(model, clip.frames[:, :3], clip.actions[:, :2])
    state = advance(model, state, clip.actions[:, 2], clip.frames[:, 3])
    longer = observe(model, clip.frames[:, :4], clip.actions[:, :3])
    same(imagine(model, state, clip.actions[:, 3:]), imagine(model, longer, clip.actions[:, 3:]))


@over(CASES)
def test_training_pass_and_prediction_agree(case: Case) -> None:
    model, clip = case.model(), case.clip()
    mask = torch.ones(3, 5)
    mask[:, 2:] = 0
    predictions, _ = unroll(model, clip, mask)
    same(predictions[:, 1:], predict(model, clip, 2))


@over(CASES)
def test_evaluation_is_deterministic(case: Case) -> None:
    model, clip = case.model(), case.clip()
    assert torch.equal(predict(model, clip, 2), predict(model, clip, 2))


@over(CASES)
def test_every_parameter_gets_a_gradient(case: Case) -> None:
    model, clip = case.model().train(), case.clip()
    predictions, terms = unroll(model, clip, torch.ones(3, 5))
    loss = (predictions - clip.frames[:, 1:]).square().mean() + sum(terms.values())
    torch.as_tensor(loss).backward()
    lacking = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert lacking == []


@over(CASES)
@torch.no_grad()
def test_bfloat16_autocast_stays_close(case: Case) -> None:
    model, clip = case.model(), case.clip()
    exact = predict(model, clip, 2)
    with torch.autocast("cpu", torch.bfloat16):
        rough = predict(model, clip, 2).float()
    assert (exact - rough).abs().max() <= 2e-2 * max(1.0, float(exact.abs().max()))


@over(CASES)
def test_frames_and_actions_of_another_shape_are_refused(case: Case) -> None:
    model, clip = case.model(), case.clip()
    with pytest.raises(InputError, match="actions: this model expects width"):
        observe(model, clip.frames[:, :2], torch.zeros(3, 1, case.action_dim + 1))
    with pytest.raises(InputError, match=r"frames: this model expects \(C, H, W\)"):
        observe(model, clip.frames[:, :2, :, :4], clip.actions[:, :1])
    with pytest.raises(InputError, match="context: expected 1 to 5 frames"):
        predict(model, clip, 6)
    with pytest.raises(InputError, match=r"sampling_mask: expected shape \(B, T-1\) = \(3, 5\)"):
        unroll(model, clip, torch.ones(3, 4))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PREDRNN.build((3, 18, 16), 0), r"4 does not divide .* \(18, 16\)"),
        (lambda: PREDRNN_V2_ACTIONS.build((3, 18, 16), 0), "4 does not divide"),
        (lambda: ModeRNNConfig(hidden=8, slots=3), "slots: 3 does not divide the 16 channels"),
        (lambda: PredRNNConfig(layers=0), r"PredRNNConfig\.layers: expected at least 1, got 0"),
    ],
)
def test_impossible_options_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()
