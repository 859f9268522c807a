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
_LEFT, _WIDTH, _RIGHT = 1.5, 12.0, 0.2
_TITLE, _TICKS, _LANE = 0.35, 0.3, 0.2
"""Sizes in inches: of the margin for names, of a row, and of what stands above and below it."""

_BETWEEN = 2
"""White pixels between frames."""


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
    figure = Figure(dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    total = sum(height + below for recording in recordings for height, below in _rows(recording))
    total += _TITLE * len(recordings)
    figure.set_size_inches(_LEFT + _WIDTH + _RIGHT, total)
    top = total
    for recording in recordings:
        top -= _TITLE
        axes = []
        for height, below in _rows(recording):
            axes.append(_row(figure, top, height, total))
            top -= height + below
        for film, (camera, frames) in zip(axes, recording.frames.items(), strict=False):
            _draw_film(film, camera, frames, recording.steps)
        axes[len(recording.frames) - 1].tick_params(labelbottom=True)
        axes[0].set_title(recording.name, fontsize=9, loc="left", parse_math=False)
        if recording.action_names:
            _draw_actions(axes[-1], recording)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _rows(recording: Filmed) -> list[tuple[float, float]]:
    """Heights of the rows of a recording, and of what is below each, in inches."""
    films = [
        (_WIDTH * frames.shape[1] / (len(frames) * (frames.shape[2] + _BETWEEN)), 0.05)
        for frames in recording.frames.values()
    ]
    films[-1] = (films[-1][0], _TICKS)
    actions = len(recording.action_names)
    return [*films, (_LANE * actions, _TICKS)] if actions else films


def _row(figure: Figure, top: float, height: float, total: float) -> Axes:
    """Axes of a height whose upper side is so many inches above the bottom."""
    width = _LEFT + _WIDTH + _RIGHT
    place = (_LEFT / width, (top - height) / total, _WIDTH / width, height / total)
    return figure.add_axes(place)


def _draw_film(axes: Axes, camera: str, frames: np.ndarray, steps: np.ndarray) -> None:
    spaced = np.pad(frames, ((0, 0), (0, 0), (0, _BETWEEN), (0, 0)), constant_values=255)
    axes.imshow(np.concatenate(list(spaced), axis=1), aspect="auto")
    places = spaced.shape[2] * (np.arange(len(frames)) + 0.5)
    axes.set_xticks(places, [str(step) for step in steps.tolist()], fontsize=7)
    axes.set_yticks([])
    axes.tick_params(labelbottom=False, bottom=False)
    axes.set_ylabel(camera, fontsize=8, parse_math=False)


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
