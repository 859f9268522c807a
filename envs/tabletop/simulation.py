"""The simulated tabletop: a SCARA arm that follows end-effector commands, and one object."""

# MuJoCo's bindings are compiled and ship no type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import mujoco
import numpy as np

from worldmodel.envs.rendering import make_renderer
from worldmodel.envs.suite import Size
from worldmodel.envs.tabletop.laboratory import Laboratory
from worldmodel.envs.tabletop.scene import REACH, TIMESTEP, build_model
from worldmodel.errors import InputError

ACTION_NAMES = ("dx", "dy", "dz", "dyaw", "gripper")
"""Displacement of the hand along the table, turn about the vertical; > 0 closes, < 0 opens."""

_CLOSED = (0.0, 0.0, 0.0, 0.0, 1.0)

SCALE = np.array([0.03, 0.03, 0.02, 0.3])
"""What 1 means for dx, dy, dz in metres and dyaw in radians, per control step."""

LOWEST = np.array([-REACH, -REACH, 0.002, -1.5])
HIGHEST = np.array([REACH, REACH, 0.07, 1.5])
"""Bounds of the hand's x, y, z in metres and yaw in radians."""

CONTROL_PERIOD = 0.1
"""Seconds per control step."""

_SUBSTEPS = round(CONTROL_PERIOD / TIMESTEP)
_RAMP = np.minimum(np.arange(1, _SUBSTEPS + 1) / (0.72 * _SUBSTEPS), 1.0)[:, None]
_OPENING = 0.034  # m from the closed position, each finger
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


@final
@dataclass(frozen=True)
class Arrangement:
    """Where hand and object rest.

    Attributes:
        hand: x, y, z of the fingertips in metres and yaw in radians.
        object: x, y in metres and yaw in radians.
        closed: Whether the gripper is closed.
    """

    hand: tuple[float, float, float, float]
    object: tuple[float, float, float]
    closed: bool = True


@final
class Tabletop:
    """One laboratory's physics and camera.

    The hand follows a target that each action moves; a zero action leaves everything at rest. The
    state can be saved and restored so that continuing is bit-identical.

    Attributes:
        laboratory: Which robot, table, object and camera.
        picture_shape: (H, W, 3) of its pictures.
    """

    def __init__(self, laboratory: Laboratory, size: Size = 64) -> None:
        """Build the simulation.

        Args:
            laboratory: Which robot, table, object and camera.
            size: Height and width of pictures in pixels, or the two.

        Raises:
            InputError: The arm does not reach the whole workspace, or a picture has no pixel.
        """
        height, width = (size, size) if isinstance(size, int) else size
        if min(height, width) < 1:
            raise InputError(f"size: expected at least 1 pixel, got {size}")
        _check_reach(laboratory)
        self.laboratory = laboratory
        self._model = build_model(laboratory)
        self._data = mujoco.MjData(self._model)
        self._hand = self._model.body("hand").id
        self._object = self._model.body("object").id
        self._object_qpos = int(self._model.joint("object").qposadr[0])
        self._target = np.zeros(5)
        self._size = mujoco.mj_stateSize(self._model, _STATE)
        camera = self._model.camera("view").id
        self.picture_shape = (height, width, 3)
        self._renderer = make_renderer(self._model, camera, height, width)

    @property
    def hand(self) -> np.ndarray:
        """Position of the fingertips, in metres. Shape (3,)."""
        return self._data.xpos[self._hand].copy()

    @property
    def yaw(self) -> float:
        """Angle of the hand about the vertical, in radians."""
        matrix = self._data.xmat[self._hand]
        return math.atan2(matrix[3], matrix[0])

    @property
    def closed(self) -> bool:
        """Whether the gripper was last told to close."""
        return bool(self._target[4] == 0.0)

    @property
    def object(self) -> np.ndarray:
        """Position of the object's centre, in metres. Shape (3,)."""
        return self._data.xpos[self._object].copy()

    def reset(self, arrangement: Arrangement) -> None:
        """Put hand and object in place, at rest."""
        mujoco.mj_resetData(self._model, self._data)
        self._target[:4] = np.clip(arrangement.hand, LOWEST, HIGHEST)
        self._target[4] = 0.0 if arrangement.closed else _OPENING
        joints = self._joints()
        self._data.qpos[: len(joints)] = joints
        self._data.ctrl[:] = joints
        x, y, yaw = arrangement.object
        start = self._object_qpos
        self._data.qpos[start : start + 2] = x, y
        self._data.qpos[start + 3 : start + 7] = math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)
        mujoco.mj_step(self._model, self._data, _SUBSTEPS)
        self._update()

    def control(self, action: np.ndarray) -> None:
        """Move the hand's target and simulate one control step.

        Args:
            action: dx, dy, dz, dyaw, gripper in [-1, 1], clipped, shape (5,); or dx, dy alone,
                shape (2,), with the gripper closed.
        """
        action = np.clip([*action, *_CLOSED[len(action) :]], -1.0, 1.0)
        before = self._data.ctrl.copy()
        self._target[:4] = np.clip(self._target[:4] + action[:4] * SCALE, LOWEST, HIGHEST)
        if action[4]:
            self._target[4] = 0.0 if action[4] > 0 else _OPENING
        for control in before + _RAMP * (self._joints() - before):
            self._data.ctrl[:] = control
            mujoco.mj_step(self._model, self._data)
        self._update()

    def render(self) -> np.ndarray:
        """The camera's picture. Shape (H, W, 3), uint8."""
        return self._renderer.render(self._data)

    def state(self) -> np.ndarray:
        """Everything that decides the future. Shape (S,), float64."""
        physics = np.empty(self._size)
        mujoco.mj_getState(self._model, self._data, physics, _STATE)
        return np.concatenate([physics, self._target])

    def restore(self, state: np.ndarray) -> None:
        """Return to a state of the same laboratory.

        Raises:
            InputError: The state has another length.
        """
        if state.shape != (self._size + 5,):
            raise InputError(f"state: expected shape ({self._size + 5},), got {state.shape}")
        mujoco.mj_setState(self._model, self._data, state[: self._size], _STATE)
        self._target[:] = state[self._size :]
        self._update()

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def _update(self) -> None:
        """Bring positions, camera and light up to date without touching the dynamics."""
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def _joints(self) -> np.ndarray:
        """Inverse kinematics of the target: shoulder, elbow, lift, wrist, left, right finger."""
        x, y, z, yaw, opening = self._target
        shoulder, elbow = _two_links(self.laboratory, x, y)
        return np.array([shoulder, elbow, z, yaw - shoulder - elbow, opening, opening])


def _two_links(laboratory: Laboratory, x: float, y: float) -> tuple[float, float]:
    """Shoulder and elbow angles that bring the wrist axis to (x, y), in radians.

    The shoulder's angle is continuous over the workspace: it is measured about the direction from
    the base to the middle.
    """
    upper, fore = laboratory.links
    x, y = x - laboratory.base[0], y - laboratory.base[1]
    cosine = (x * x + y * y - upper * upper - fore * fore) / (2 * upper * fore)
    elbow = laboratory.elbow * math.acos(min(max(cosine, -1.0), 1.0))
    middle = math.atan2(-laboratory.base[1], -laboratory.base[0])
    bearing = math.remainder(math.atan2(y, x) - middle, math.tau) + middle
    inner = math.atan2(fore * math.sin(elbow), upper + fore * math.cos(elbow))
    return bearing - inner, elbow


def _check_reach(laboratory: Laboratory) -> None:
    """Refuse an arm that cannot reach the whole workspace."""
    x, y = laboratory.base
    nearest = math.hypot(max(abs(x) - REACH, 0.0), max(abs(y) - REACH, 0.0))
    furthest = math.hypot(abs(x) + REACH, abs(y) + REACH)
    upper, fore = laboratory.links
    if nearest <= abs(upper - fore) or furthest >= upper + fore:
        raise InputError(
            f"laboratory {laboratory.name!r}: links {upper} and {fore} m reach "
            f"{abs(upper - fore):.3f} to {upper + fore:.3f} m from the base, expected "
            f"{nearest:.3f} to {furthest:.3f} m for the whole workspace"
        )
