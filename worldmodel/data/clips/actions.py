"""What the name of an action says, and how actions add up over several frames.

`dx`, `dy`, `dz`, `droll`, `dpitch`, `dyaw` and what begins with `delta` are displacements: over k
frames they are summed. Any other (`gripper`, `x`, `joint_1`) is absolute: the last of k counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_DELTA = re.compile(r"d_?(x|y|z|roll|pitch|yaw|rx|ry|rz|q\d*)(_\w+)?|delta.*", re.IGNORECASE)


def is_delta(name: str) -> bool:
    """Whether an action of that name is a displacement."""
    return _DELTA.fullmatch(name) is not None


def strided_actions(actions: np.ndarray, names: Sequence[str], stride: int) -> np.ndarray:
    """Actions (n, A) between every `stride`-th frame: deltas are summed, absolutes taken last.

    Returns:
        Shape (n // stride, A); a remainder is dropped.
    """
    count = len(actions) // stride
    groups = actions[: count * stride].reshape(count, stride, len(names))
    delta = np.array([is_delta(name) for name in names], bool)
    return np.where(delta, groups.sum(axis=1), groups[:, -1])
