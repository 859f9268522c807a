"""Recordings at a glance: frames of every camera, and the actions under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from worldmodel.errors import InputError

_DPI = 100
_WIDTH = 14.0
_LANE = 0.2


class Filmed(NamedTuple):
    """One recording on a contact sheet.

    Attributes:
        name: Of the recording.
        frames: By camera, some RGB frames of one height each, uint8 (n, H, W, 3).
        steps: Number of each of these frames, rising. Shape (n,).
        actions: Shape (T-1, A); A = 0 without actions.
        action_names: Length A.
    """

    name: str
    frames: Mapping[str, np.ndarray]
    steps: np.ndarray
    actions: np.ndarray
    action_names: Sequence[str]


def contact_sheet(recordings: Sequence[Filmed]) -> np.ndarray:
    """Draw recordings one below the other.

    Returns:
        One picture, uint8. Shape (H', W', 3).

    Raises:
        InputError: There is no recording.
    """
    if not recordings:
        raise InputError("contact sheet: expected at least one recording, got none")
    heights = [height for recording in recordings for height in _heights(recording)]
    figure = Figure(figsize=(_WIDTH, sum(heights)), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = iter(np.atleast_1d(figure.subplots(len(heights), 1, height_ratios=heights)))
    for recording in recordings:
        films = [next(axes) for _ in recording.frames]
        for film, (camera, frames) in zip(films, recording.frames.items(), strict=True):
            film.imshow(np.concatenate(list(frames), axis=1), aspect="auto")
            film.set_yticks([])
            film.set_ylabel(camera, fontsize=8, parse_math=False)
            places = frames.shape[2] * (np.arange(len(frames)) + 0.5)
            film.set_xticks(places, recording.steps, fontsize=7)
            film.tick_params(labelbottom=film is films[-1], bottom=False)
        films[0].set_title(recording.name, fontsize=9, loc="left", parse_math=False)
        if recording.action_names:
            _draw_actions(next(axes), recording)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _heights(recording: Filmed) -> list[float]:
    """Of the rows of a recording, in inches."""
    films = [
        0.2 + (_WIDTH - 1.5) * frames.shape[1] / (len(frames) * frames.shape[2])
        for frames in recording.frames.values()
    ]
    actions = len(recording.action_names)
    return [*films, 0.3 + _LANE * actions] if actions else films


def _draw_actions(axes: Axes, recording: Filmed) -> None:
    """A lane per action, from its smallest to its largest value; action t lasts to frame t+1."""
    low, high = recording.actions.min(axis=0), recording.actions.max(axis=0)
    half = np.where(high > low, (high - low) / 2, 1.0)
    parts = (recording.actions - (low + high) / 2) / half
    held = np.concatenate([parts, parts[-1:]])
    lanes = np.arange(len(half))
    for lane, values in enumerate(held.T):
        axes.axhline(lane, color="lightgray", linewidth=0.6)
        axes.step(np.arange(len(values)), lane - 0.42 * values, where="post", linewidth=1.0)
    ranges = zip(recording.action_names, low, high, strict=True)
    axes.set_yticks(lanes, [f"{name} {a:.3g} to {b:.3g}" for name, a, b in ranges])
    axes.set_ylim(len(half) - 0.4, -0.6)
    margin = np.diff(recording.steps).mean() / 2
    axes.set_xlim(recording.steps[0] - margin, recording.steps[-1] + margin)
    axes.tick_params(axis="x", labelsize=7)
    for label in axes.get_yticklabels():
        label.set_fontsize(6)
        label.set_parse_math(False)
