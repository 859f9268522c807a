"""How long an agent takes to act, and where the time goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.model import WorldModel
from worldmodel.planners.foresight import Foresight

_KEPT = 10_000


@final
@dataclass(frozen=True)
class Latency:
    """Times of the latest actions, in seconds of wall clock.

    Attributes:
        actions: How many were measured, at most the latest 10,000.
        hz: Actions per second, on average.
        mean: Of one action.
        median: Half take no longer.
        p95: 95 % take no longer.
        p99: 99 % take no longer.
        longest: Of all.
        outside: Share of the time spent outside the model or simulator.
    """

    actions: int
    hz: float
    mean: float
    median: float
    p95: float
    p99: float
    longest: float
    outside: float


@final
class Stopwatch:
    """Takes the time of actions and, within them, of foresight."""

    def __init__(self) -> None:
        self._total: deque[float] = deque(maxlen=_KEPT)
        self._inside: deque[float] = deque(maxlen=_KEPT)
        self._depth, self._running = 0, 0.0

    @contextmanager
    def action(self) -> Iterator[None]:
        """Around everything that leads to one action."""
        self._running, begun = 0.0, time.perf_counter()
        yield
        self._total.append(time.perf_counter() - begun)
        self._inside.append(self._running)

    @contextmanager
    def foresight(self) -> Iterator[None]:
        """Around work of the model or simulator."""
        self._depth, begun = self._depth + 1, time.perf_counter()
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._running += time.perf_counter() - begun

    def read(self) -> Latency:
        """What was measured.

        Raises:
            InputError: Nothing was.
        """
        if not self._total:
            raise InputError("latency: expected at least one action before, got none")
        seconds = np.array(self._total)
        median, p95, p99 = np.percentile(seconds, [50, 95, 99])
        return Latency(
            actions=len(seconds),
            hz=1 / seconds.mean(),
            mean=seconds.mean(),
            median=median,
            p95=p95,
            p99=p99,
            longest=seconds.max(),
            outside=1 - sum(self._inside) / seconds.sum(),
        )


@final
class TimedForesight:
    """A foresight whose time is taken; a `Foresight`."""

    def __init__(self, foresight: Foresight, watch: Stopwatch) -> None:
        self._foresight, self._watch = foresight, watch

    @property
    def models(self) -> tuple[WorldModel, ...]:
        """See `Foresight.models`."""
        return self._foresight.models

    def reset(self, frame: Tensor) -> None:
        """See `Foresight.reset`."""
        with self._watch.foresight():
            self._foresight.reset(frame)

    def observe(self, action: Tensor, frame: Tensor) -> None:
        """See `Foresight.observe`."""
        with self._watch.foresight():
            self._foresight.observe(action, frame)

    def imagine(self, actions: Tensor) -> Iterator[Imagined]:
        """See `Foresight.imagine`; also the time in which frames and latents are made is taken."""
        future = self._foresight.imagine(actions)
        while True:
            with self._watch.foresight():
                step = next(future, None)
            if step is None:
                return
            yield Imagined(
                step.t,
                step.actions,
                step.state,
                frame=self._timed(step, "frame"),
                latent=self._timed(step, "latent"),
                members=step.members,
            )

    def _timed(self, step: Imagined, name: str) -> Any:
        def made() -> Tensor:
            with self._watch.foresight():
                return getattr(step, name)

        return made
