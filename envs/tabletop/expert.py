"""A scripted expert that sees the simulator: it reaches, or walks around the object and pushes."""

from __future__ import annotations

import math

import numpy as np

from worldmodel.envs.tabletop.simulation import LOWEST, SCALE, Tabletop

_CLEARANCE = 0.012  # m between hand and object while walking around it
_ARRIVED = 0.010  # m from object to goal at which the expert rests
_ALIGNED = 0.012  # m beside the line of push at which it may begin
_STRIDE = 0.5  # rad around the object in one step


def contact_distance(tabletop: Tabletop, bearing: float, yaw: float) -> float:
    """From object centre to hand, at yaw 0, where they touch, in metres.

    Args:
        tabletop: Tells the sizes of both.
        bearing: Direction from one to the other, in radians; the two fingers lie side by side in x.
        yaw: Of the object, in radians.
    """
    block = tabletop.laboratory.object
    fingers = tabletop.laboratory.finger_radius * (1 + abs(math.cos(bearing)))
    if block.shape == "cylinder":
        return block.half_width + fingers
    turned = bearing - yaw
    return block.half_width * (abs(math.cos(turned)) + abs(math.sin(turned))) + fingers


def clear_distance(tabletop: Tabletop) -> float:
    """From object centre to hand beyond which they cannot touch, in metres."""
    block = tabletop.laboratory.object
    corner = math.sqrt(2) if block.shape == "box" else 1.0
    return block.half_width * corner + 2 * tabletop.laboratory.finger_radius


def reach_action(tabletop: Tabletop, goal: np.ndarray) -> np.ndarray:
    """Action (5,) that moves the hand straight towards `goal`, shape (3,) in metres."""
    return _towards(tabletop, goal[:2], goal[2])


def push_action(tabletop: Tabletop, goal: np.ndarray) -> np.ndarray:
    """Action (5,) that pushes the object towards `goal`, shape (3,) in metres.

    The hand walks around the object on a circle until it stands on the far side from the goal, then
    pushes through the object's centre.
    """
    centre, hand = tabletop.object[:2], tabletop.hand
    remaining = math.dist(goal[:2], centre)
    if remaining < _ARRIVED:
        return _towards(tabletop, hand[:2], hand[2])
    behind = math.atan2(*(centre - goal[:2])[::-1])
    bearing = math.atan2(*(hand[:2] - centre)[::-1])
    distance = math.dist(hand[:2], centre)
    turn = math.remainder(behind - bearing, math.tau)
    if abs(turn) < 1.0 and distance * abs(math.sin(turn)) < _ALIGNED and hand[2] < 0.01:
        advance = min(remaining, float(SCALE[0]))
        radius = contact_distance(tabletop, behind, behind) - advance
        return _towards(tabletop, centre + radius * _unit(behind), LOWEST[2])
    radius = clear_distance(tabletop) + _CLEARANCE
    if distance > radius - _CLEARANCE:
        bearing += math.copysign(min(abs(turn), _STRIDE), turn)
    return _towards(tabletop, centre + radius * _unit(bearing), LOWEST[2])


def _unit(angle: float) -> np.ndarray:
    return np.array([math.cos(angle), math.sin(angle)])


def _towards(tabletop: Tabletop, place: np.ndarray, height: float) -> np.ndarray:
    """The closed hand's action straight towards (x, y) and a height, as far as one step goes."""
    planar = (place - tabletop.hand[:2]) / SCALE[:2]
    planar /= max(1.0, float(np.abs(planar).max()))
    lift = np.clip((height - tabletop.hand[2]) / SCALE[2], -1.0, 1.0)
    return np.array([*planar, lift, 0.0, 1.0])
