"""Small radar series for the cases of radar formats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from formats.case import Truth
from worldmodel.data.recording import no_signals

HEIGHT, WIDTH = 24, 32
FIVE_MINUTES = timedelta(minutes=5)


class Event(NamedTuple):
    """Pictures that follow each other."""

    folder: str
    start: datetime
    length: int

    @property
    def name(self) -> str:
        written = self.start.strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.folder}/{written}" if self.folder else written

    @property
    def times(self) -> list[datetime]:
        return [self.start + step * FIVE_MINUTES for step in range(self.length)]


EVENTS = (
    Event("", datetime(2016, 9, 28, 14, 45, tzinfo=UTC), 2),
    Event("", datetime(2016, 9, 28, 23, 55, tzinfo=UTC), 2),
    Event("2017", datetime(2017, 1, 1, 0, 0, tzinfo=UTC), 2),
)


def truth(event: Event, pixels: np.ndarray, missing: np.ndarray) -> Truth:
    """An event as it should be read; pixels and missing of shape (T, H, W)."""
    actions, states = no_signals(event.length)
    return Truth(event.name, "", pixels[..., None], actions, states, missing)


def shower(event: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Rain in mm/h (T, H, W), of a cell that moves and grows; and where no radar sees."""
    rate = np.zeros((length, HEIGHT, WIDTH))
    for step in range(length):
        left = (2 * step + 3 * event) % (WIDTH - 10)
        rate[step, 6:16, left : left + 10] = 0.6 * (1 + event) * (1 + step)
        rate[step, 8:12, left + 2 : left + 6] = 24.0
    unseen = np.zeros(rate.shape, bool)
    unseen[:, :3] = unseen[:, -5:, :4] = True
    return rate, unseen
