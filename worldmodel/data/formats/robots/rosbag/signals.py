"""Messages of commands and of states, as numbers with names and units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from worldmodel.data.formats.signals import numbered
from worldmodel.errors import InputError


class Numbers(NamedTuple):
    """What a message says.

    Attributes:
        names: Of each number.
        units: Of each number, "" where unknown.
        values: float32 or float64, of shape (n,).
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray


def numbers(message: Any, kind: str) -> Numbers:
    """Numbers in a message of a type in `COMMANDS` or `STATES`.

    Raises:
        InputError: It is none, or has other numbers than names.
    """
    found = (COMMANDS.get(kind) or STATES[kind])(message)
    if not len(found.names) == len(found.units) == len(found.values) > 0:
        raise InputError(
            f"expected a number for each of {len(found.names)} names, got {len(found.values)}"
        )
    return found


def _twist(twist: Any) -> Numbers:
    parts = {"linear": (twist.linear, "m/s"), "angular": (twist.angular, "rad/s")}
    return Numbers(
        tuple(f"{word}_{axis}" for word in parts for axis in "xyz"),
        tuple(unit for _, unit in parts.values() for _ in range(3)),
        np.array([getattr(vector, axis) for vector, _ in parts.values() for axis in "xyz"]),
    )


def _pose(pose: Any) -> Numbers:
    position, turn = pose.position, pose.orientation
    return Numbers(
        ("x", "y", "z", "qx", "qy", "qz", "qw"),
        ("m", "m", "m", "", "", "", ""),
        np.array([position.x, position.y, position.z, turn.x, turn.y, turn.z, turn.w]),
    )


def _odometry(message: Any) -> Numbers:
    pose, twist = _pose(message.pose.pose), _twist(message.twist.twist)
    return Numbers(
        pose.names + twist.names,
        pose.units + twist.units,
        np.concatenate([pose.values, twist.values]),
    )


def _joints(message: Any) -> Numbers:
    """Positions, or else velocities, or else efforts."""
    return _of_joints(message.name, message.position, message.velocity, message.effort)


def _trajectory(message: Any) -> Numbers:
    if len(message.points) != 1:
        raise InputError(f"expected trajectories of one point, got {len(message.points)}")
    point = message.points[0]
    return _of_joints(message.joint_names, point.positions, point.velocities, point.effort)


def _of_joints(
    names: list[str], positions: np.ndarray, velocities: np.ndarray, efforts: np.ndarray
) -> Numbers:
    known = {"": positions, "_velocity": velocities, "_effort": efforts}
    suffix, values = next(
        ((word, each) for word, each in known.items() if each.size), ("", positions)
    )
    called = tuple(names) or numbered("joint", len(values))
    return Numbers(tuple(name + suffix for name in called), ("",) * len(called), values)


def _array(message: Any) -> Numbers:
    width = len(message.data)
    return Numbers(numbered("action", width), ("",) * width, message.data)


def _scalar(message: Any) -> Numbers:
    return Numbers(("action_0",), ("",), np.array([message.data]))


COMMANDS: Mapping[str, Callable[[Any], Numbers]] = MappingProxyType(
    {
        "geometry_msgs/msg/Twist": _twist,
        "geometry_msgs/msg/TwistStamped": lambda message: _twist(message.twist),
        "geometry_msgs/msg/Pose": _pose,
        "geometry_msgs/msg/PoseStamped": lambda message: _pose(message.pose),
        "sensor_msgs/msg/JointState": _joints,
        "trajectory_msgs/msg/JointTrajectory": _trajectory,
        "std_msgs/msg/Float32MultiArray": _array,
        "std_msgs/msg/Float64MultiArray": _array,
        "std_msgs/msg/Float32": _scalar,
        "std_msgs/msg/Float64": _scalar,
    }
)
"""Types of commands."""

STATES: Mapping[str, Callable[[Any], Numbers]] = MappingProxyType(
    {
        "sensor_msgs/msg/JointState": _joints,
        "nav_msgs/msg/Odometry": _odometry,
        "geometry_msgs/msg/PoseStamped": lambda message: _pose(message.pose),
        "geometry_msgs/msg/PoseWithCovarianceStamped": lambda message: _pose(message.pose.pose),
        "geometry_msgs/msg/Pose": _pose,
    }
)
"""Types of states, the most telling first."""
