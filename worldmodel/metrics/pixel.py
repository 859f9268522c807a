"""Frame errors and similarities, one value per frame, named after the convention they follow.

The same pair of pictures has several "MSE" and "SSIM" in the literature; numbers are comparable
only within one of the functions below. All take two floating-point tensors of the same shape
(..., C, H, W), clip both to [0, 1], and return one value per frame, shape (...).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from worldmodel.errors import InputError
from worldmodel.registry import Registry

Metric = Callable[[Tensor, Tensor], Tensor]
"""`metric(prediction, truth)`: two tensors (..., C, H, W) in, one value per frame (...) out."""


def mse_sum(prediction: Tensor, truth: Tensor) -> Tensor:
    """Squared error summed over C, H and W, as papers since PredRNN report it per frame."""
    prediction, truth = _clipped(prediction, truth)
    return (prediction - truth).square().sum(dim=(-3, -2, -1))


def mae_sum(prediction: Tensor, truth: Tensor) -> Tensor:
    """Absolute error summed over C, H and W."""
    prediction, truth = _clipped(prediction, truth)
    return (prediction - truth).abs().sum(dim=(-3, -2, -1))


def mse_mean(prediction: Tensor, truth: Tensor) -> Tensor:
    """Squared error averaged over C, H and W."""
    prediction, truth = _clipped(prediction, truth)
    return (prediction - truth).square().mean(dim=(-3, -2, -1))


def psnr_float(prediction: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of the floating-point pixels; infinite for equal frames."""
    return -10.0 * torch.log10(mse_mean(prediction, truth))


def psnr_predrnn(prediction: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB after truncation to 8 bits, as in PredRNN's code."""
    prediction, truth = _clipped(prediction, truth)
    error = (_bytes(prediction).double() - _bytes(truth).double()).square().mean(dim=(-3, -2, -1))
    return (10.0 * torch.log10(255.0**2 / error)).to(prediction.dtype)


def ssim_gaussian(prediction: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity with a Gaussian window (11 pixels, sigma 1.5), valid positions only.

    The form of Wang et al. (2004), averaged over channels; TensorFlow's and FitVid's agree.

    Raises:
        InputError: Frames are smaller than 11x11.
    """
    prediction, truth = _clipped(prediction, truth)
    return _ssim(prediction, truth, 11, data_range=1.0)


def ssim_predrnn(prediction: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity with a uniform 7x7 window after truncation to 8 bits, as in PredRNN.

    PredRNN's code takes variances of a sample, 49/48 of those of the 49 pixels; the same factor on
    both sides of a quotient is a smaller constant in it.

    Raises:
        InputError: Frames are smaller than 7x7.
    """
    prediction, truth = _clipped(prediction, truth)
    values = _ssim(
        _bytes(prediction).double(),
        _bytes(truth).double(),
        7,
        gaussian_kernel=False,
        kernel_size=7,
        data_range=255.0,
        k2=0.03 * math.sqrt(48 / 49),
    )
    return values.to(prediction.dtype)


METRICS: Registry[Metric] = Registry(
    "metric",
    {
        name: f"worldmodel.metrics.pixel:{name}"
        for name in (
            "mse_sum",
            "mae_sum",
            "mse_mean",
            "psnr_float",
            "psnr_predrnn",
            "ssim_gaussian",
            "ssim_predrnn",
        )
    },
)
"""Every metric by its name."""


def _clipped(prediction: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    if prediction.shape != truth.shape:
        raise InputError(
            "metric: expected prediction and truth of one shape (..., C, H, W), "
            f"got {tuple(prediction.shape)} and {tuple(truth.shape)}"
        )
    if prediction.ndim < 3 or not (prediction.is_floating_point() and truth.is_floating_point()):
        raise InputError(
            "metric: expected floating-point frames (..., C, H, W) in [0, 1], "
            f"got {prediction.dtype} and {truth.dtype} of shape {tuple(truth.shape)}"
        )
    return prediction.clamp(0.0, 1.0), truth.clamp(0.0, 1.0)


def _bytes(frames: Tensor) -> Tensor:
    return (frames * 255.0).to(torch.uint8)


def _ssim(prediction: Tensor, truth: Tensor, window: int, **options: Any) -> Tensor:
    """Structural similarity, averaged over the windows that lie within the frame."""
    _check_window(prediction, window)
    _, maps = structural_similarity_index_measure(
        prediction.reshape(-1, *prediction.shape[-3:]),
        truth.reshape(-1, *truth.shape[-3:]),
        reduction="none",
        return_full_image=True,
        **options,
    )
    edge = window // 2
    inside = maps[..., edge:-edge, edge:-edge]
    return inside.mean(dim=(-3, -2, -1)).reshape(prediction.shape[:-3])


def _check_window(frames: Tensor, window: int) -> None:
    if min(frames.shape[-2:]) < window:
        raise InputError(
            f"SSIM: expected frames of at least {window}x{window} pixels, "
            f"got {frames.shape[-2]}x{frames.shape[-1]}"
        )
