"""Mode-collapse score on synthetic features whose separation is known."""

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from worldmodel.clip import Clip
from worldmodel.diagnostics.stmc import Features, latent_features, pixel_features, separation
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, State, WorldModel


def clusters(spread: float, dimensions: int = 64) -> Features:
    """Four environments whose means lie `spread` standard deviations from the origin."""
    generator = np.random.default_rng(3)
    domain = np.repeat(np.arange(4), 60)
    means = generator.standard_normal((4, dimensions)) * spread
    values = means[domain] + generator.standard_normal((240, dimensions))
    return Features(values, domain, "synthetic")


def test_score_falls_from_separated_over_mixed_to_collapsed():
    separated, mixed, collapsed = (separation(clusters(s)) for s in (1.5, 0.45, 0.0))
    assert separated.sc_env > 0.4
    assert 0.05 < mixed.sc_env < 0.25
    assert abs(collapsed.sc_env) < 0.03
    assert mixed.sc_env > mixed.chance
    assert abs(collapsed.chance) < 0.03


def test_few_dimensions_are_standardised_only():
    features = clusters(1.0, dimensions=5)
    scaled = Features(features.values * [1, 10, 100, 1e3, 1e4] + 7, features.domain, "synthetic")
    centred = features.values - features.values.mean(0)
    expected = silhouette_score(centred / features.values.std(0), features.domain)
    assert separation(features).sc_env == pytest.approx(expected)
    assert separation(scaled).sc_env == pytest.approx(expected)


def test_record_says_what_was_measured():
    result = separation(clusters(1.0), seed=5)
    assert result.samples == 240
    assert result.per_domain == {0: 60, 1: 60, 2: 60, 3: 60}
    assert (result.components, result.pooling, result.seed) == (20, "synthetic", 5)
    assert result == separation(clusters(1.0), seed=5)


def test_constant_features_are_a_complete_collapse():
    features = Features(np.full((12, 30), 0.7), np.arange(12) % 3, "synthetic")
    assert separation(features).sc_env == 0.0


@pytest.mark.parametrize("domain", [np.zeros(6, int), np.arange(6)])
def test_undefined_without_two_environments_of_several_clips(domain):
    with pytest.raises(InputError, match="at least 2 environments"):
        separation(Features(np.random.default_rng(0).standard_normal((6, 3)), domain, "x"))


class ByHand(ModelConfig):
    def build(self, frame_shape, action_dim):
        raise AssertionError("a model of this test is built by hand")


class Counter(WorldModel):
    """Latent: the summed actions so far, everywhere on a 2x2 grid."""

    def __init__(self):
        super().__init__((1, 2, 2), 1, ByHand())
        self.register_parameter("unused", torch.nn.Parameter(torch.zeros(())))

    def initial_state(self, batch, device=None):
        return State({"total": torch.zeros(batch, 1, device=device)}, batch_size=[batch])

    def transition(self, frame, action, state):
        return frame, State({"total": state["total"] + action}, batch_size=state.batch_size)

    def latent(self, state):
        return state["total"][..., None, None].expand(-1, -1, 2, 2)


def test_latents_are_averaged_over_the_valid_imagined_steps():
    actions = torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0], [3.0, 3.0, 3.0]])[..., None]
    valid = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]]).bool()
    clip = Clip.checked(torch.rand(3, 4, 1, 2, 2), actions, torch.tensor([4, 5, 6]), valid)
    features = latent_features(Counter(), [clip, clip], context=2)
    # After the actions 1, 10 and 1, 10, 100; the last clip has no frame to predict.
    assert features.values[:, 0].tolist() == [(11 + 111) / 2, 22.0] * 2
    assert features.domain.tolist() == [4, 5, 4, 5]


def test_pixel_control_sees_different_backgrounds():
    brightness = torch.tensor([0.2, 0.2, 0.8, 0.8]).reshape(4, 1, 1, 1, 1)
    noise = 0.01 * torch.rand(4, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    clip = Clip.checked(brightness + noise, domain=torch.tensor([0, 0, 1, 1]))
    features = pixel_features([clip], context=1)
    assert features.values.shape == (4, 3 * 8 * 8)
    assert separation(features).sc_env > 0.9


def test_a_context_as_long_as_the_clip_is_refused():
    clip = Clip.checked(torch.rand(2, 3, 1, 2, 2), torch.zeros(2, 2, 1))
    with pytest.raises(InputError, match="context: expected 1 to 2"):
        latent_features(Counter(), [clip], context=3)
