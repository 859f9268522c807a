"""A prediction at a glance: what happened, what was imagined and the error, step by step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.report.picture import GAP, LINE, hstack, magnified, padded, text, to_uint8

ERROR_RANGE = 0.5


def strip(rows: Mapping[str, np.ndarray], first_step: int = 1, scale: int = 2) -> np.ndarray:
    """Lay videos out as labelled rows, one column per time step.

    Args:
        rows: Videos by their labels: RGB pixels, uint8, all of one shape (T, H, W, 3).
        first_step: Number above the first column.
        scale: Whole-number magnification, without smoothing.

    Returns:
        One picture, uint8. Shape (H', W', 3).

    Raises:
        InputError: No rows, or rows of different shapes.
    """
    shapes = {label: video.shape for label, video in rows.items()}
    if len(set(shapes.values())) != 1:
        raise InputError(f"strip: expected rows of one shape (T, H, W, 3), got {shapes}")
    length, height, width, _ = next(iter(shapes.values()))
    margin = max(text(label).shape[1] for label in rows)
    line_height = max(height * scale, LINE)
    steps = [text(str(first_step + t), width * scale) for t in range(length)]
    lines = [hstack([text("", margin), *steps])]
    for label, video in rows.items():
        cells = [text(label, margin), *(magnified(frame, scale) for frame in video)]
        lines.append(hstack(padded(cell, line_height) for cell in cells))
    return np.concatenate([padded(line, len(line) + GAP) for line in lines])


def comparison(
    truth: Tensor, prediction: Tensor, first_step: int = 1, scale: int = 2
) -> np.ndarray:
    """Rows of truth, prediction and their absolute error, the mean over channels in false color.

    Args:
        truth: Recorded frames in [0, 1]. Shape (T, C, H, W) with C = 1 or 3.
        prediction: Predicted frames, clipped to [0, 1] here. Same shape.
        first_step: Number above the first column.
        scale: Whole-number magnification, without smoothing.

    Returns:
        One picture, uint8. Shape (H', W', 3).

    Raises:
        InputError: Truth and prediction differ in shape.
    """
    if truth.shape != prediction.shape:
        raise InputError(
            "comparison: expected truth and prediction of one shape (T, C, H, W), "
            f"got {tuple(truth.shape)} and {tuple(prediction.shape)}"
        )
    error = (prediction.clamp(0.0, 1.0) - truth).abs().mean(dim=-3).detach().cpu().numpy()
    false_color = colormaps["inferno"](error / ERROR_RANGE, bytes=True)[..., :3]
    rows = {
        "truth": to_uint8(truth),
        "prediction": to_uint8(prediction),
        f"|error|, 0 to {ERROR_RANGE:g}": false_color,
    }
    return strip(rows, first_step, scale)
