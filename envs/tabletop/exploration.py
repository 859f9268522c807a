"""How a hand explores: smooth wandering, and seeking the object to push through it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from worldmodel.envs.tabletop.expert import clear_distance
from worldmodel.envs.tabletop.scene import REACH
from worldmodel.envs.tabletop.simulation import HIGHEST, LOWEST, SCALE, Arrangement, Tabletop

_MEMORY = 0.75  # of the smooth noise, per control step
_SPEED = 0.7  # standard deviation of a wandering action
_UNREST = 0.25  # standard deviation of the noise on a purposeful action
_MIDDLE = REACH - 0.06  # m from the middle within which the object starts
_PUSHED = REACH - 0.09  # m from the middle to which the hand pushes, so that it can push back
_PATIENCE = 7  # control steps spent on one waypoint at most


def random_arrangement(
    tabletop: Tabletop, planar: bool, random: np.random.Generator
) -> Arrangement:
    """The hand anywhere, the object near the middle, apart; the hand low and closed if planar."""
    while True:
        x, y, z, yaw = random.uniform(LOWEST, HIGHEST)
        place = random.uniform(-_MIDDLE, _MIDDLE, 2)
        if math.dist((x, y), place) > clear_distance(tabletop):
            break
    block = (place[0], place[1], random.uniform(-math.pi, math.pi))
    if planar:
        return Arrangement((x, y, LOWEST[2], 0.0), block)
    return Arrangement((x, y, z, yaw), block, closed=bool(random.random() < 0.5))


def wander(tabletop: Tabletop, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Smooth random actions that turn back where the hand's range ends. Each of shape (5,)."""
    drift = random.normal(size=5)
    while True:
        drift = _drifted(drift, random)
        pose = np.append(tabletop.hand, tabletop.yaw) + _SPEED * drift[:4] * SCALE
        drift[:4] *= np.where((pose < LOWEST) | (pose > HIGHEST), -1.0, 1.0)
        yield np.clip(_SPEED * drift, -1.0, 1.0)


def seek(tabletop: Tabletop, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Noisy actions that go beside the object, push through it, and again. Each of shape (5,)."""
    drift = random.normal(size=5)
    while True:
        for aim in _waypoints(tabletop, random):
            speed = random.uniform(0.5, 1.0)
            for _ in range(_PATIENCE):
                offset = np.append(aim, LOWEST[2]) - tabletop.hand
                if np.abs(offset[:2]).max() < 0.01:
                    break
                drift = _drifted(drift, random)
                action = drift * [_UNREST, _UNREST, _UNREST, _SPEED, _SPEED]
                action[:3] += offset / max(np.abs(offset[:2]).max(), SCALE[0]) * speed
                yield np.clip(action, -1.0, 1.0)


def _waypoints(tabletop: Tabletop, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A place beside the object on the hand's side of it, and one behind or inside it."""
    centre = tabletop.object[:2]
    arm = tabletop.hand[:2] - centre
    bearing = math.atan2(arm[1], arm[0]) + random.uniform(-1.5, 1.5)
    side = np.array([math.cos(bearing), math.sin(bearing)])
    beside = np.clip(centre + clear_distance(tabletop) * side, -REACH, REACH)
    through = np.clip(centre - random.uniform(-0.01, 0.06) * side, -_PUSHED, _PUSHED)
    return beside, through


def _drifted(drift: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One step of first-order autoregressive noise of unit variance."""
    return _MEMORY * drift + math.sqrt(1 - _MEMORY**2) * random.normal(size=5)
