"""The statistics that a LeRobotDataset keeps of every feature, per episode and in all.

Follows `compute_stats.py` of https://github.com/huggingface/lerobot, but looks at all pixels
rather than at a sample, and at the exact quantiles of an episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np

QUANTILES: Mapping[str, float] = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
"""Shares of the values by name."""

Statistics = Mapping[str, Any]
"""Nested lists by `min`, `max`, `mean`, `std`, `count` and the names of `QUANTILES`."""


def of_numbers(values: np.ndarray) -> Statistics:
    """Statistics of each column of finite numbers (T, D), D values each."""
    quantiles = np.quantile(values, list(QUANTILES.values()), axis=0)
    return {
        "min": values.min(axis=0).tolist(),
        "max": values.max(axis=0).tolist(),
        "mean": values.mean(axis=0, dtype=np.float64).tolist(),
        "std": values.std(axis=0, dtype=np.float64).tolist(),
        "count": [len(values)],
        **dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
    }


@final
class PictureStatistics:
    """Statistics of pictures that pass by."""

    def __init__(self) -> None:
        self._counts, self._pictures = np.zeros((3, 256), np.int64), 0

    def watched(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same frames, uint8 (H, W, 3)."""
        for frame in frames:
            for channel in range(3):
                self._counts[channel] += np.bincount(frame[..., channel].ravel(), minlength=256)
            self._pictures += 1
            yield frame

    def __len__(self) -> int:
        return self._pictures

    def result(self) -> Statistics:
        """Statistics of each channel in [0, 1], of shape (3, 1, 1)."""
        levels = np.arange(256) / 255
        below = self._counts.cumsum(axis=1) / self._counts.sum(axis=1, keepdims=True)
        mean = self._counts @ levels / self._counts.sum(axis=1)
        square = self._counts @ levels**2 / self._counts.sum(axis=1)
        values = {
            "min": levels[(self._counts > 0).argmax(axis=1)],
            "max": levels[255 - (self._counts[:, ::-1] > 0).argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(np.maximum(square - mean**2, 0)),
            **{name: levels[(below >= share).argmax(axis=1)] for name, share in QUANTILES.items()},
        }
        return {
            "count": [self._pictures],
            **{name: each[:, None, None].tolist() for name, each in values.items()},
        }


def in_all(episodes: Sequence[Statistics]) -> Statistics:
    """Statistics of all episodes; quantiles are weighted means of theirs, as the library's are."""
    stacked = {name: np.array([those[name] for those in episodes]) for name in episodes[0]}
    counts = stacked["count"][:, 0]
    mean = np.average(stacked["mean"], axis=0, weights=counts)
    variances = stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2
    return {
        "min": stacked["min"].min(axis=0).tolist(),
        "max": stacked["max"].max(axis=0).tolist(),
        "mean": mean.tolist(),
        "std": np.sqrt(np.average(variances, axis=0, weights=counts)).tolist(),
        "count": [int(counts.sum())],
        **{name: np.average(stacked[name], axis=0, weights=counts).tolist() for name in QUANTILES},
    }
