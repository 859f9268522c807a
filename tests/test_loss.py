"""The absolute error of the training loss; its other terms are in test_training.py."""

import numpy as np
import pytest
import torch
from torch import Tensor

from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.training.curriculum import ScheduledSampling
from worldmodel.training.forecaster import Forecaster, OptimizerConfig
from worldmodel.training.loss import mean_absolute_error, mean_squared_error, training_loss


def half_recorded() -> tuple[Tensor, Clip]:
    """Predictions, and a clip of which three of the six predicted frames were recorded."""
    valid = torch.tensor([[True, True, True, False], [True, True, False, False]])
    return torch.rand(2, 3, 3, 5, 5), Clip.checked(torch.rand(2, 4, 3, 5, 5), valid=valid)


def test_absolute_error_is_the_mean_over_the_recorded_frames() -> None:
    predictions, clip = half_recorded()
    absolute = np.abs(predictions.double().numpy() - clip.frames[:, 1:].double().numpy())
    expected = (absolute[0, 0].mean() + absolute[0, 1].mean() + absolute[1, 0].mean()) / 3
    assert mean_absolute_error(predictions, clip).item() == pytest.approx(expected, rel=1e-6)


def test_squared_and_absolute_error_add_up() -> None:
    predictions, clip = half_recorded()
    squared, absolute = (
        mean_squared_error(predictions, clip),
        mean_absolute_error(predictions, clip),
    )
    terms = {"one": torch.tensor(2.0)}
    assert torch.equal(training_loss(predictions, clip, {}, 0.1), squared)
    weighted = training_loss(predictions, clip, terms, 0.1, absolute=0.5)
    assert float(weighted) == pytest.approx(float(squared + 0.5 * absolute) + 0.2)


def test_moving_pixels_weigh_more() -> None:
    predictions, clip = half_recorded()
    frames = clip.frames.double().numpy()
    moved = (np.abs(frames[:, 1:] - frames[:, :-1]) > 0.03).any(2, keepdims=True)
    errors = (predictions.double().numpy() - frames[:, 1:]) ** 2 * np.where(moved, 6.0, 1.0)
    expected = (errors[0, 0].mean() + errors[0, 1].mean() + errors[1, 0].mean()) / 3
    found = training_loss(predictions, clip, {}, 0.1, moving=5.0)
    assert float(found) == pytest.approx(expected, rel=1e-6)
    still = Clip.checked(clip.frames[:, :1].expand(-1, 4, -1, -1, -1))
    plain = training_loss(predictions, still, {}, 0.1)
    assert torch.equal(training_loss(predictions, still, {}, 0.1, moving=5.0), plain)


def test_pixels_that_were_not_measured_count_as_the_zero_that_they_show() -> None:
    missing = torch.rand(2, 4, 1, 5, 5) < 0.4
    frames = torch.rand(2, 4, 3, 5, 5).masked_fill(missing, 0.0)
    clip = Clip.checked(frames, missing=missing)
    perfect = frames[:, 1:]
    wild = perfect + missing[:, 1:] * 0.5
    assert mean_squared_error(perfect, clip).item() == 0.0
    assert mean_squared_error(wild, clip).item() > 0.05


def test_training_weighs_the_absolute_error(monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[Tensor] = []
    clip, model = Clip.checked(torch.rand(2, 3, 1, 8, 8)), PredRNNConfig(layers=1, hidden=4)
    monkeypatch.setattr(Forecaster, "_sampling_mask", lambda *_: torch.ones(2, 2))
    monkeypatch.setattr(Forecaster, "log", lambda *_, **__: None)
    built = model.build((1, 8, 8), 0)
    for weight in (0.0, 1.0, 2.0):
        optimizer = OptimizerConfig(absolute_weight=weight)
        forecaster = Forecaster(built, ScheduledSampling(), optimizer, context=1, steps=1, seed=0)
        losses.append(forecaster.training_step(clip, 0).detach())
    assert losses[1] > losses[0]
    torch.testing.assert_close(losses[2] - losses[1], losses[1] - losses[0])


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(InputError, match="absolute_weight: expected at least 0, got -1"):
        OptimizerConfig(absolute_weight=-1.0)
