"""How the time of small models grows with what they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from cases import Case
from measuring import Measurement, Work, fitted_exponent, times_by_size
from workloads import imagination, training_step

from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig

SMALL = Case(
    PredRNNConfig(layers=2, hidden=16, kernel=3, bias=True, residual=True), 4, 4, 16, 4, (3, 32, 32)
)
LONGEST = {True: 0.2, False: 10.0}
"""Seconds of one run, quick or not, after which nothing larger is measured."""


def _imagining(quantity: str, size: int) -> Work:
    return imagination(replace(SMALL, **{quantity: size}), "float32", torch.device("cpu"))


def _training(batch: int) -> Work:
    return training_step(replace(SMALL, batch=batch), "float32", torch.device("cpu"))


def _frame(side: int) -> Work:
    return _imagining("frame", (3, side, side))  # pyright: ignore[reportArgumentType]


def _slots(slots: int) -> Work:
    config = ModeRNNConfig(layers=2, hidden=16, slots=slots)
    return _imagining("config", config)  # pyright: ignore[reportArgumentType]


AXES: dict[str, tuple[Sequence[int], Callable[[int], Work]]] = {
    "candidates": ([4**n for n in range(7)], partial(_imagining, "candidates")),
    "horizon": ([1, 2, 4, 8, 16], partial(_imagining, "horizon")),
    "batch of a training step": ([1, 2, 4, 8, 16, 32], _training),
    "side of the frame": ([32, 64, 128], _frame),
    "slots": ([1, 2, 4, 8], _slots),
}
"""What is varied: its sizes, and the work of a size."""


def scaling(quick: bool) -> list[Measurement]:
    """Times at the smallest and at the largest size, and the exponent fitted to all."""
    found = []
    for name, (sizes, work_of) in AXES.items():
        seconds = times_by_size(sizes, work_of, longest=LONGEST[quick])
        first, last = min(seconds), max(seconds)
        exponent = fitted_exponent(list(seconds), list(seconds.values()))
        found += [
            Measurement(name, "from", first),
            Measurement(name, "to", last),
            Measurement(name, "first, ms", seconds[first] * 1e3),
            Measurement(name, "last, ms", seconds[last] * 1e3),
            Measurement(name, "exponent", exponent),
        ]
    return found
