"""Pictures of a MuJoCo model: OpenGL where it works, else a software raycaster."""

# MuJoCo's bindings are compiled and ship no type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import atexit
import importlib
import logging
from abc import ABC, abstractmethod
from functools import cache
from typing import Any, final
from weakref import WeakSet

import mujoco
import numpy as np
import torch  # noqa: F401  A GL context opened before torch is loaded crashes the process.

from worldmodel.envs.backend import OPENGL, RAYCASTER, chosen_backend

_log = logging.getLogger(__name__)

_open: WeakSet[OpenGLRenderer] = WeakSet()


class Renderer(ABC):
    """Draws one camera of one model at a fixed size."""

    @abstractmethod
    def render(self, data: mujoco.MjData) -> np.ndarray:
        """The picture of `data`, whose kinematics are up to date. Shape (H, W, 3), uint8."""

    @abstractmethod
    def close(self) -> None:
        """Free the resources; a second call does nothing."""


@final
class OpenGLRenderer(Renderer):
    """MuJoCo's OpenGL renderer without what costs time at small sizes.

    Shadows and multisampling are switched off in the model itself, reflections, sky and haze in
    the scene: 64 x 64 pixels then take 0.3 ms in software (Mesa llvmpipe) instead of 44 ms.
    """

    _gl: Any = None

    def __init__(self, model: mujoco.MjModel, camera: int, height: int, width: int) -> None:
        model.light_castshadow[:] = 0
        model.vis.quality.offsamples = 0
        model.vis.global_.offheight = height
        model.vis.global_.offwidth = width
        self._model = model
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED.value
        self._camera.fixedcamid = camera
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 8)
        for flag in (
            mujoco.mjtRndFlag.mjRND_SHADOW,
            mujoco.mjtRndFlag.mjRND_REFLECTION,
            mujoco.mjtRndFlag.mjRND_SKYBOX,
            mujoco.mjtRndFlag.mjRND_HAZE,
        ):
            self._scene.flags[flag] = 0
        self._window = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)
        context_class = importlib.import_module(f"mujoco.{chosen_backend()}").GLContext
        self._gl = context_class(width, height)
        self._gl.make_current()
        _open.add(self)
        _close_at_exit()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def render(self, data: mujoco.MjData) -> np.ndarray:
        """See `Renderer.render`."""
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._option,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        mujoco.mjr_render(self._window, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._window, self._context)
        return self._pixels[::-1].copy()

    def close(self) -> None:
        """See `Renderer.close`."""
        if self._gl is not None:
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._gl = None

    def __del__(self) -> None:
        self.close()


@final
class RayRenderer(Renderer):
    """One ray per pixel with `mj_multiRay`, colored by the geom and one diffuse light.

    Textures and transparency are not drawn; the model's first light shines along its direction.
    """

    def __init__(self, model: mujoco.MjModel, camera: int, height: int, width: int) -> None:
        self._model = model
        self._camera = camera
        self._shape = (height, width, 3)
        half = np.tan(np.radians(model.cam_fovy[camera]) / 2)
        right = (np.arange(width) + 0.5 - width / 2) * (2 * half / height)
        up = (height / 2 - np.arange(height) - 0.5) * (2 * half / height)
        rays = np.stack(np.broadcast_arrays(right[None], up[:, None], -1.0), axis=-1)
        self._rays = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).reshape(-1, 3)
        self._groups = np.array([1, 1, 1, 0, 0, 0], np.uint8)
        headlight = model.vis.headlight
        self._ambient = headlight.ambient + (model.light_ambient[0] if model.nlight else 0.0)
        self._diffuse = model.light_diffuse[0] if model.nlight else headlight.diffuse
        material = model.geom_matid
        self._colors = np.where(
            (material >= 0)[:, None],
            model.mat_rgba[material, :3] if model.nmat else 0.0,
            model.geom_rgba[:, :3],
        )

    def render(self, data: mujoco.MjData) -> np.ndarray:
        """See `Renderer.render`."""
        rotation = data.cam_xmat[self._camera].reshape(3, 3)
        rays = self._rays @ rotation.T
        count = len(rays)
        geom = np.empty(count, np.int32)
        distance = np.empty(count)
        normal = np.empty(3 * count)
        mujoco.mj_multiRay(
            self._model,
            data,
            data.cam_xpos[self._camera],
            rays.ravel(),
            self._groups,
            True,
            -1,
            geom,
            distance,
            normal,
            count,
            mujoco.mjMAXVAL,
        )
        light = data.light_xdir[0] if self._model.nlight else -rotation[:, 2]
        facing = np.clip(-normal.reshape(-1, 3) @ light, 0.0, 1.0)[:, None]
        color = self._colors[geom] * (self._ambient + facing * self._diffuse)
        color[geom < 0] = 0.0
        return (np.clip(color, 0.0, 1.0) * 255 + 0.5).astype(np.uint8).reshape(self._shape)

    def close(self) -> None:
        """Nothing is held."""


def _close_all() -> None:
    for renderer in list(_open):
        renderer.close()


@cache
def _close_at_exit() -> None:
    """Registered after the first context, so that it runs before EGL itself shuts down."""
    atexit.register(_close_all)


@cache
def _renderer_class(backend: str) -> type[OpenGLRenderer] | type[RayRenderer]:
    """The class for a backend; told once per process in the log."""
    chosen = OpenGLRenderer if backend in OPENGL else RayRenderer
    note = "" if backend != RAYCASTER else " (slower for meshes: install libegl1 or libosmesa6)"
    _log.info("pictures are drawn by %s with MUJOCO_GL=%s%s", chosen.__name__, backend, note)
    return chosen


def make_renderer(model: mujoco.MjModel, camera: int, height: int, width: int) -> Renderer:
    """A renderer of one camera of any model, by the backend that works on this machine.

    Args:
        model: What to draw; its shadows and multisampling are switched off.
        camera: Index of a fixed camera of the model.
        height: In pixels.
        width: In pixels.
    """
    return _renderer_class(chosen_backend())(model, camera, height, width)
