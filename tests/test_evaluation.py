"""Scores of a model whose predictions are known in closed form."""

import json
import math

import pytest
import torch

from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.evaluation import evaluate
from worldmodel.metrics.pixel import mae_sum, psnr_float
from worldmodel.model import ModelConfig, State, WorldModel

MEAN = {"mae": lambda prediction, truth: mae_sum(prediction, truth) / 4}


class ByHand(ModelConfig):
    def build(self, frame_shape, action_dim):
        raise AssertionError("a model of this test is built by hand")


class Brighten(WorldModel):
    """Adds the action, times a gain, to every pixel of the frame."""

    def __init__(self, gain=1.0):
        super().__init__((1, 2, 2), 1, ByHand())
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def initial_state(self, batch, device=None):
        return State({}, batch_size=[batch], device=device)

    def transition(self, frame, action, state):
        assert not self.training
        return frame + self.gain * action[..., None, None], state

    def latent(self, state):
        raise AssertionError("no latent is needed to score frames")


def clips(steps):
    """Clips of 4 frames that start at 0.1 and brighten by a constant per step."""
    slope = torch.tensor(steps).reshape(-1, 1, 1)
    frames = 0.1 + slope * torch.arange(4).reshape(1, 4, 1)
    return Clip.checked(
        frames[..., None, None].expand(-1, -1, 1, 2, 2).clone(), slope.expand(-1, 3, 1).clone()
    )


def test_scores_per_step_are_exact():
    result = evaluate(Brighten(), [clips([0.1, 0.2])], context=2, metrics=MEAN)
    assert result.frames == (2, 2)
    expected = {
        "model": (0.0, 0.0),
        "zero actions": (0.15, 0.30),
        "exchanged actions": (0.1, 0.2),
        "copy last frame": (0.15, 0.30),
    }
    assert list(result.scores) == list(expected)
    for predictor, values in expected.items():
        assert result.scores[predictor]["mae"] == pytest.approx(values, abs=1e-6)
    assert result.mean("zero actions", "mae") == pytest.approx(0.225)


def test_a_model_without_gain_ignores_actions():
    scores = evaluate(Brighten(0.0), [clips([0.1, 0.2])], context=2, metrics=MEAN).scores
    assert scores["model"] == scores["zero actions"] == scores["exchanged actions"]


@pytest.mark.parametrize("sizes", [[5], [2, 2, 1], [4, 1], [1, 1, 1, 1, 1]])
def test_every_clip_counts_once_whatever_its_batch(sizes):
    steps = [0.05, 0.1, 0.15, 0.2, 0.25]
    batches = [clips(part.tolist()) for part in torch.tensor(steps).split(sizes)]
    result = evaluate(Brighten(), batches, context=1, metrics=MEAN)
    assert result.clips == 5
    assert result.scores["copy last frame"]["mae"] == pytest.approx((0.15, 0.3, 0.45), abs=1e-6)


def test_padding_does_not_count():
    clip = clips([0.1, 0.2])
    clip.valid[1, 3] = False
    clip.frames[1, 3] = 0.0
    result = evaluate(Brighten(), [clip], context=1, metrics=MEAN)
    assert result.frames == (2, 2, 1)
    assert result.scores["copy last frame"]["mae"] == pytest.approx((0.15, 0.3, 0.3), abs=1e-6)
    assert result.mean("copy last frame", "mae") == pytest.approx((0.3 + 0.6 + 0.3) / 5)


def test_pixels_that_were_not_measured_do_not_count():
    whole = clips([0.1, 0.2])
    missing = torch.zeros(2, 4, 1, 2, 2, dtype=torch.bool)
    missing[:, :, :, 0] = True
    half = Clip.checked(whole.frames, whole.actions, missing=missing)
    expected, scored = (
        evaluate(Brighten(), [clip], context=2, metrics=MEAN) for clip in (whole, half)
    )
    for predictor, scores in expected.scores.items():
        halves = [value / 2 for value in scores["mae"]]
        assert scored.scores[predictor]["mae"] == pytest.approx(halves, abs=1e-6)


def test_saved_as_valid_json(tmp_path):
    still = Clip.checked(torch.full((2, 3, 1, 2, 2), 0.5), torch.zeros(2, 2, 1))
    result = evaluate(Brighten(), [still], context=1, metrics={"psnr_float": psnr_float})
    assert math.isinf(result.scores["model"]["psnr_float"][0])
    result.save(tmp_path / "evaluation.json")
    stored = json.loads((tmp_path / "evaluation.json").read_text())
    assert stored["scores"]["model"]["psnr_float"] == [None, None]
    assert (stored["clips"], stored["context"], stored["frames"]) == (2, 1, [2, 2])


def test_records_for_a_table():
    first = evaluate(Brighten(), [clips([0.1, 0.2])], context=2, metrics=MEAN).records()[0]
    assert first == {"predictor": "model", "mae": pytest.approx(0.0, abs=1e-6)}


def test_no_clips_are_refused():
    with pytest.raises(InputError, match="0 clips"):
        evaluate(Brighten(), [], context=1)


def test_clips_of_two_lengths_are_refused():
    short = Clip.checked(torch.rand(1, 3, 1, 2, 2), torch.zeros(1, 2, 1))
    with pytest.raises(InputError, match="one length, got 4 and 3 frames"):
        evaluate(Brighten(), [clips([0.1]), short], context=1, metrics=MEAN)
