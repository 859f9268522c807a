"""Spread of the actions, for scaling them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from worldmodel.data.clips.actions import strided_actions
from worldmodel.data.clips.windows import Span
from worldmodel.data.source import Source
from worldmodel.errors import InputError


@final
@dataclass(frozen=True)
class ActionStatistics:
    """Per action dimension, in the units of the log; each of length A.

    `std` is that of the population, and 0 where the action never changes.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]


def action_statistics(source: Source, spans: Sequence[Span], stride: int = 1) -> ActionStatistics:
    """Statistics of some recordings' actions, one recording in memory at a time.

    Args:
        source: The recordings.
        spans: Which of their frames: the training part only, or the test leaks into training.
        stride: Frame stride of the windows that the actions will be taken from.

    Raises:
        InputError: There are no recordings, or all are shorter than the stride.
    """
    count = 0
    mean = square = np.zeros(len(source.action_names))
    low, high = mean + np.inf, mean - np.inf
    for index, start, stop in spans:
        recorded = source.actions(index)[start : stop - 1]
        actions = strided_actions(recorded, source.action_names, stride)
        if len(actions) == 0:
            continue
        # Chan, Golub, LeVeque (1979): merge the moments of two sets.
        shift = actions.mean(axis=0, dtype=np.float64) - mean
        square = square + np.square(actions - actions.mean(axis=0, dtype=np.float64)).sum(axis=0)
        square = square + shift**2 * count * len(actions) / (count + len(actions))
        mean = mean + shift * len(actions) / (count + len(actions))
        low = np.minimum(low, actions.min(axis=0))
        high = np.maximum(high, actions.max(axis=0))
        count += len(actions)
    if count == 0:
        raise InputError(
            f"expected recordings with at least {stride} actions to take statistics of, "
            f"got {len(spans)} with none"
        )
    std = np.sqrt(square / count)
    return ActionStatistics(
        source.action_names, *(tuple(map(float, values)) for values in (mean, std, low, high))
    )
