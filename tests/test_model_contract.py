"""What every architecture must do, run over all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from futures import frames_of
from torch import Tensor

from worldmodel.checkpoint import ModelCard, load, save_checkpoint
from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.layers.action import ActionFeatures, ActionModulation
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.models.e3d_lstm import E3DLSTMConfig
from worldmodel.models.gru_cat import GRUCATConfig
from worldmodel.models.mim import MIMConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.motion_details_rnn import MotionDetailsRNNConfig
from worldmodel.models.motion_rnn import MotionRNNConfig
from worldmodel.models.phydnet import PhyDNetConfig
from worldmodel.models.predrnn import PredRNN, PredRNNConfig
from worldmodel.models.predrnn_plus_plus import PredRNNPlusPlusConfig
from worldmodel.models.rims import RIMsConfig
from worldmodel.models.sa_conv_lstm import SAConvLSTMConfig
from worldmodel.models.scoff import SCOFFConfig
from worldmodel.models.simvp import SimVPConfig
from worldmodel.models.stack import StackConfig
from worldmodel.models.svg import SVGConfig
from worldmodel.models.traj_gru import TrajGRUConfig
from worldmodel.rollout import advance, imagine, observe, predict, unroll

Config = TypeVar("Config", bound=StackConfig)


@dataclass(frozen=True)
class Case:
    """One architecture under one set of options."""

    config: ModelConfig
    action_dim: int
    frame_shape: tuple[int, int, int] = (3, 16, 16)

    def model(self) -> WorldModel:
        torch.manual_seed(0)
        return self.config.build(self.frame_shape, self.action_dim).eval()

    def card(self) -> ModelCard:
        names = tuple(f"a{i}" for i in range(self.action_dim))
        zeros, ones = (0.0,) * self.action_dim, (1.0,) * self.action_dim
        return ModelCard(self.frame_shape, names, zeros, ones, (), 2, 6, 0, 0, "random")

    def clip(self, batch: int = 3, time: int = 6) -> Clip:
        torch.manual_seed(1)
        frames = torch.rand(batch, time, *self.frame_shape)
        return Clip.checked(frames, torch.randn(batch, time - 1, self.action_dim))


def small(kind: type[Config], **options: Any) -> Config:
    sizes: dict[str, Any] = {"layers": 2, "hidden": 8, "kernel": 3}
    return kind(**(sizes | options))


def strided(kind: type[Config], **options: Any) -> Config:
    return small(kind, **({"patch": None, "residual": True} | options))


PREDRNN = small(PredRNNConfig)
PREDRNN_V2_ACTIONS = strided(PredRNNConfig, bias=True)
MODE_RNN = small(ModeRNNConfig)
WIDE, NINE, RGB = (1, 8, 24), (9, 16, 16), (3, 32, 32)
SVG = SVGConfig(features=16, noise=4, hidden=16, width=8, halvings=3)
PHYDNET = PhyDNetConfig(features=16, kernel=3, layers=2, hidden=8, groups=4)
SIMVP = SimVPConfig(window=3, hidden=16, halvings=1, translator_hidden=16, translator_depth=2)
GRU_CAT = GRUCATConfig(hidden=16, features=16)
CELLS: dict[str, Any] = {
    "cells": 3,
    "hidden": 12,
    "features": 16,
    "slots": 2,
    "slot_size": 8,
    "key": 8,
    "value": 12,
    "communication_key": 8,
}
CASES = {
    "predrnn": Case(PREDRNN, 0),
    "predrnn-wide-gray": Case(PREDRNN, 0, WIDE),
    "predrnn-9-channels": Case(PREDRNN, 2, NINE),
    "predrnn-actions": Case(PREDRNN_V2_ACTIONS, 4),
    "predrnn-actions-patches": Case(small(PredRNNConfig, bias=True, residual=True), 2),
    "predrnn-layer-norm": Case(small(PredRNNConfig, layer_norm=True, memory_decoupling=False), 3),
    "predrnn-m-only": Case(small(PredRNNConfig, memory_decoupling=False, memory_flow="M-only"), 2),
    "predrnn-no-bottom-up": Case(
        small(PredRNNConfig, layers=3, memory_flow="without-bottom-up"), 0
    ),
    "predrnn-no-top-down": Case(small(PredRNNConfig, layers=3, memory_flow="without-top-down"), 0),
    "conv-lstm-legacy": Case(small(ConvLSTMConfig, legacy=True), 3),
    "mode-rnn": Case(MODE_RNN, 0),
    "mode-rnn-wide-gray": Case(MODE_RNN, 0, WIDE),
    "mode-rnn-actions": Case(strided(ModeRNNConfig, slots=2), 4),
    "mode-rnn-input-modulated": Case(small(ModeRNNConfig, slots=2, modulated="input"), 3),
    "mode-rnn-zero-bus": Case(small(ModeRNNConfig, learned_initial_bus=False), 2),
    "conv-lstm": Case(small(ConvLSTMConfig), 0, WIDE),
    "conv-lstm-actions": Case(strided(ConvLSTMConfig, layer_norm=True), 2),
    "predrnn++": Case(small(PredRNNPlusPlusConfig), 0, WIDE),
    "predrnn++-actions": Case(small(PredRNNPlusPlusConfig, layer_norm=True, residual=True), 3),
    "predrnn++-legacy": Case(small(PredRNNPlusPlusConfig, legacy=True, residual=True), 0, NINE),
    "mim": Case(small(MIMConfig), 0, WIDE),
    "mim-actions": Case(strided(MIMConfig, layers=3, memory_decoupling=True), 2),
    "e3d-lstm": Case(small(E3DLSTMConfig, hidden=4), 0, WIDE),
    "e3d-lstm-actions": Case(strided(E3DLSTMConfig, hidden=4, memory_window=2), 2),
    "e3d-lstm-openstl": Case(small(E3DLSTMConfig, hidden=4, openstl=True), 2, NINE),
    "motion-rnn": Case(MotionRNNConfig(backbone=PREDRNN), 0, WIDE),
    "motion-rnn-actions": Case(MotionRNNConfig(backbone=PREDRNN_V2_ACTIONS), 2),
    "motion-rnn-mim": Case(MotionRNNConfig(backbone=small(MIMConfig)), 2, NINE),
    "motion-details-rnn": Case(small(MotionDetailsRNNConfig), 0, WIDE),
    "motion-details-rnn-actions": Case(strided(MotionDetailsRNNConfig), 2),
    "sa-conv-lstm": Case(small(SAConvLSTMConfig, key=4, layer_norm=False), 0, WIDE),
    "sa-conv-lstm-actions": Case(strided(SAConvLSTMConfig, key=8), 2),
    "traj-gru": Case(small(TrajGRUConfig, links=3, flow_features=4, flow_kernel=3), 0, WIDE),
    "traj-gru-actions": Case(strided(TrajGRUConfig, links=5, flow_features=4), 2),
    "svg": Case(SVG, 0, WIDE),
    "svg-actions": Case(SVG, 2),
    "phydnet": Case(PHYDNET, 0, WIDE),
    "phydnet-actions": Case(PHYDNET, 2, NINE),
    "gru+cat": Case(GRU_CAT, 0, (1, 32, 48)),
    "gru+cat-actions": Case(GRU_CAT, 4, (3, 32, 32)),
    "rims": Case(RIMsConfig(**CELLS, inputs="embedding", decoder="CAT", active=2), 0, (9, 32, 40)),
    "oc-rims": Case(RIMsConfig(**CELLS), 0, (1, 32, 48)),
    "oc-rims-feature-map": Case(RIMsConfig(**CELLS, inputs="feature-map", decoder="BCD"), 2, RGB),
    "oc-rims-actions": Case(RIMsConfig(**CELLS, decoder="BCD", active=2), 3, RGB),
    "scoff": Case(SCOFFConfig(**CELLS), 0, (1, 32, 48)),
    "scoff-actions": Case(SCOFFConfig(**CELLS, decoder="BCD", active=2), 3, RGB),
    "simvp": Case(SIMVP, 0, WIDE),
    "simvp-actions": Case(replace(SIMVP, residual=True), 2),
}
MOST_GENERAL = [name for name in CASES if name.endswith("-actions")]
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


def sees_action_statistics(model: WorldModel, clip: Clip) -> bool:
    """Whether actions in the units of the log predict as the same actions do normalised."""
    mean, std = torch.linspace(-3, 5, model.action_dim), torch.linspace(0.1, 20, model.action_dim)
    before = predict(model, clip, 2)
    model.set_action_statistics(mean, std)
    unlike = predict(model, clip, 2)
    clip.actions = clip.actions * std + mean
    scaled = [predict(model, clip, 2), unroll(model, clip, torch.zeros(3, 5))[0]]
    model.set_action_statistics(torch.zeros_like(mean), torch.ones_like(std))
    clip.actions = (clip.actions - mean) / std
    plain = [before, unroll(model, clip, torch.zeros(3, 5))[0]]
    close = all(
        torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(scaled, plain, strict=True)
    )
    return close and not torch.allclose(unlike, before, rtol=1e-4, atol=1e-5)


@over(WITH_ACTIONS)
def test_action_statistics_are_in_effect(case: Case) -> None:
    assert sees_action_statistics(case.model(), case.clip())


def test_an_architecture_that_ignores_its_action_statistics_is_noticed() -> None:
    class Ignorant(PredRNN):  # pyright: ignore[reportGeneralTypeIssues]
        def encode_actions(self, actions: Tensor) -> Sequence[ActionFeatures]:  # pyright: ignore
            assert self.action_encoder is not None
            parts = [part for part in self.modules() if isinstance(part, ActionModulation)]
            return self.action_encoder(actions, parts)

    case = CASES["predrnn-actions"]
    assert isinstance(case.config, PredRNNConfig)
    model = Ignorant(case.frame_shape, case.action_dim, case.config).eval()
    assert not sees_action_statistics(model, case.clip())


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
        frames_of(imagine(model, state[order], clip.actions[order, 2:])),
        frames_of(imagine(model, state, clip.actions[:, 2:]))[order],
    )
    candidates = torch.randn(4, 2, case.action_dim)
    expanded = frames_of(imagine(model, state[:1].expand(4), candidates))
    for n in range(4):
        alone = imagine(model, state[:1], candidates[n : n + 1])
        same(expanded[n : n + 1], frames_of(alone))


@over(CASES)
def test_advancing_equals_observing_all_at_once(case: Case) -> None:
    model, clip = case.model(), case.clip()
    state = observe(model, clip.frames[:, :3], clip.actions[:, :2])
    state = advance(model, state, clip.actions[:, 2], clip.frames[:, 3])
    longer = observe(model, clip.frames[:, :4], clip.actions[:, :3])
    futures = (imagine(model, start, clip.actions[:, 3:]) for start in (state, longer))
    same(*map(frames_of, futures))


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
def test_only_stochastic_models_draw_futures(case: Case) -> None:
    model, clip = case.model(), case.clip()
    state, actions = observe(model, clip.frames[:, :2], clip.actions[:, :1]), clip.actions[:, 1:]
    twice = state[torch.tensor([0, 0])], actions[torch.tensor([0, 0])]
    first, again, other = (
        frames_of(imagine(model, *twice, torch.Generator().manual_seed(seed))) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    if not model.stochastic:
        likely = frames_of(imagine(model, *twice))
        same(first, likely)
        same(other, likely)
        return
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


@over(CASES)
def test_every_parameter_gets_a_gradient(case: Case) -> None:
    """One that is more than rounding, as a bias has that cancels in a softmax."""
    model, clip = case.model().double().train(), case.clip().double()
    predictions, terms = unroll(model, clip, torch.ones(3, 5))
    loss = (predictions - clip.frames[:, 1:]).square().mean() + sum(terms.values())
    torch.as_tensor(loss).backward()
    largest = {
        n: 0.0 if p.grad is None else float(p.grad.abs().max()) for n, p in model.named_parameters()
    }
    assert [n for n, size in largest.items() if size <= 1e-13 * max(largest.values())] == []


@over(CASES)
@torch.no_grad()
def test_bfloat16_autocast_stays_close(case: Case) -> None:
    model, clip = case.model(), case.clip()
    exact = predict(model, clip, 2)
    with torch.autocast("cpu", torch.bfloat16):
        rough = predict(model, clip, 2).float()
    assert (exact - rough).abs().max() <= 2e-2 * max(1.0, float(exact.abs().max()))


@over(WITH_ACTIONS)
def test_a_model_without_actions_holds_nothing_for_them(case: Case) -> None:
    with_actions = dict(case.model().named_parameters())
    without = dict(case.config.build(case.frame_shape, 0).named_parameters())
    assert set(without) < set(with_actions)


@over(CASES)
def test_saved_and_loaded_it_predicts_the_same(case: Case, tmp_path: Path) -> None:
    model, clip = case.model(), case.clip()
    save_checkpoint(tmp_path / "checkpoint", model, case.card())
    loaded = load(tmp_path / "checkpoint").model
    assert loaded.config == case.config
    same(predict(loaded, clip, 2), predict(model, clip, 2))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
@over({name: CASES[name] for name in MOST_GENERAL})
@torch.no_grad()
def test_a_compiled_step_gives_the_same_numbers(case: Case) -> None:
    model, clip = case.model(), case.clip(2, 4)
    torch.compiler.reset()
    step = torch.compile(model.step)
    state = compiled = model.initial_state(2)
    for t in range(3):
        frame, state = model.step(clip.frames[:, t], clip.actions[:, t], state)
        again, compiled = step(clip.frames[:, t], clip.actions[:, t], compiled)
        same(frame, again)
    same(model.latent(state), model.latent(compiled))


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
