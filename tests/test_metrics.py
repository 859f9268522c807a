"""Pixel metrics against values of the authors' own code and against scikit-image."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from worldmodel.errors import InputError
from worldmodel.metrics import pixel


@pytest.fixture(scope="module")
def published(fixtures):
    with np.load(fixtures / "metrics.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def pair(published):
    """Prediction, partly outside [0, 1], and truth, (3, C, H, W)."""
    return tuple(
        torch.from_numpy(published[key]).permute(0, 3, 1, 2) for key in ("in/pred", "in/gt")
    )


@pytest.mark.parametrize(
    ("metric", "key", "tolerance"),
    [
        (pixel.mse_sum, "out/mse_sum_clipped", 1e-5),
        (pixel.psnr_predrnn, "out/psnr_official_uint8", 1e-6),
        (pixel.psnr_float, "out/psnr_openstl_float", 1e-5),
        (pixel.ssim_predrnn, "out/ssim_official_uint8_range255", 1e-6),
    ],
)
def test_published_values(published, pair, metric, key, tolerance):
    np.testing.assert_allclose(metric(*pair), published[key], rtol=tolerance)


def test_gaussian_ssim_is_scikit_images_valid_form(pair):
    values = pixel.ssim_gaussian(*pair)
    for value, prediction, truth in zip(values, *pair, strict=True):
        maps = structural_similarity(
            prediction.clamp(0, 1).double().numpy(),
            truth.double().numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1]
        assert float(value) == pytest.approx(maps[:, 5:-5, 5:-5].mean(), abs=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_predrnns_ssim_is_scikit_images_also_where_frames_hardly_vary(channels):
    generator = torch.Generator().manual_seed(2)
    coarse = torch.rand(4, channels, 3, 4, generator=generator)
    truth = 0.9 + 0.1 * torch.nn.functional.interpolate(coarse, (24, 32), mode="bilinear")
    prediction = (truth + 0.02 * torch.randn(truth.shape, generator=generator)).clamp(0, 1)
    expected = [
        structural_similarity(*(pixel._bytes(v).numpy() for v in frames), channel_axis=0)
        for frames in zip(prediction, truth, strict=True)
    ]
    np.testing.assert_allclose(pixel.ssim_predrnn(prediction, truth), expected, rtol=1e-6)


def test_float_psnr_is_scikit_images(pair):
    prediction, truth = pair[0].clamp(0, 1), pair[1]
    expected = [
        peak_signal_noise_ratio(t.numpy(), p.numpy(), data_range=1.0)
        for p, t in zip(prediction, truth, strict=True)
    ]
    np.testing.assert_allclose(pixel.psnr_float(prediction, truth), expected, rtol=1e-5)


def test_errors_of_a_known_offset():
    truth = torch.full((2, 5, 3, 16, 12), 0.25)
    prediction = truth + 0.5
    pixels = 3 * 16 * 12
    assert torch.allclose(pixel.mse_sum(prediction, truth), torch.tensor(0.25 * pixels))
    assert torch.allclose(pixel.mae_sum(prediction, truth), torch.tensor(0.5 * pixels))
    assert torch.allclose(pixel.mse_mean(prediction, truth), torch.tensor(0.25))
    assert torch.allclose(pixel.psnr_float(prediction, truth), torch.tensor(20 * math.log10(2)))


def test_psnr_of_equal_frames_is_infinite():
    frame = torch.rand(3, 8, 8)
    assert pixel.psnr_float(frame, frame).isposinf()
    assert pixel.psnr_predrnn(frame, frame).isposinf()


@pytest.mark.parametrize("name", list(pixel.METRICS))
def test_one_value_per_frame_independent_of_its_neighbours(name):
    generator = torch.Generator().manual_seed(0)
    prediction, truth = torch.rand(2, 2, 3, 3, 16, 12, generator=generator)
    values = pixel.METRICS[name](prediction, truth)
    assert values.shape == (2, 3)
    alone = pixel.METRICS[name](prediction[1, 2], truth[1, 2])
    assert values[1, 2].item() == pytest.approx(alone.item(), rel=1e-5)


@pytest.mark.parametrize("name", list(pixel.METRICS))
def test_predictions_are_clipped(name):
    truth = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    wild = 3.0 * truth - 1.0
    metric = pixel.METRICS[name]
    assert torch.equal(metric(wild, truth), metric(wild.clamp(0, 1), truth))


@pytest.mark.parametrize("name", list(pixel.METRICS))
def test_shapes_that_differ_are_refused(name):
    with pytest.raises(InputError, match=r"\(1, 3, 16, 16\) and \(3, 16, 16\)"):
        pixel.METRICS[name](torch.rand(1, 3, 16, 16), torch.rand(3, 16, 16))


def test_bytes_are_refused():
    with pytest.raises(InputError, match=r"floating-point.*uint8"):
        pixel.mse_sum(*torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_frames_smaller_than_the_window_are_refused():
    with pytest.raises(InputError, match="at least 11x11 pixels, got 8x8"):
        pixel.ssim_gaussian(*torch.rand(2, 3, 8, 8))
