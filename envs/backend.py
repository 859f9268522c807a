"""Which way MuJoCo draws on this machine, settled before MuJoCo is imported.

MuJoCo reads `MUJOCO_GL` when it is imported and fails late where that does not work, so a suite in
MuJoCo settles it before anything else. Processes started later inherit the choice.
"""

from __future__ import annotations

import os
import subprocess
import sys

from worldmodel.errors import InputError

OPENGL = ("egl", "osmesa")
"""OpenGL without a display, best first."""

RAYCASTER = "off"
"""MuJoCo's own word for no OpenGL; `multiray` and `none` mean the same here."""

_VARIABLE = "MUJOCO_GL"
_SOFTWARE_THREADS = "LP_NUM_THREADS"  # of Mesa's llvmpipe: small pictures are faster without
_PROBE = "import mujoco; mujoco.GLContext(8, 8).make_current()"


def _opens_context(backend: str) -> bool:
    """Whether a tiny context opens; tried in another process, as a bad driver may crash it."""
    environment = {**os.environ, _VARIABLE: backend}
    probe = [sys.executable, "-c", _PROBE]
    return subprocess.run(probe, env=environment, capture_output=True, check=False).returncode == 0


def chosen_backend() -> str:
    """What was settled in this process or the one that started it, or is settled now."""
    return os.environ.get(_VARIABLE) or settle_backend()


def settle_backend() -> str:
    """Choose EGL, else OSMesa, else the raycaster, and leave the choice in `MUJOCO_GL`.

    Returns:
        `egl`, `osmesa` or `off`.

    Raises:
        InputError: `MUJOCO_GL` is set to an unknown backend, or to one that opens no context.
    """
    asked = os.environ.get(_VARIABLE, "").lower().strip()
    if asked in ("multiray", "none", RAYCASTER):
        chosen = RAYCASTER
    elif asked in ("", *OPENGL):
        candidates = (asked,) if asked else OPENGL
        chosen = next((backend for backend in candidates if _opens_context(backend)), None)
        if chosen is None and asked:
            raise InputError(
                f"{_VARIABLE}: {asked!r} opens no OpenGL context on this machine; unset it to let "
                f"the backend be chosen, or set it to {RAYCASTER!r} for the raycaster"
            )
        chosen = chosen or RAYCASTER
    else:
        raise InputError(
            f"{_VARIABLE}: unknown backend {asked!r}; available: {', '.join(OPENGL)}, {RAYCASTER}"
        )
    os.environ[_VARIABLE] = chosen
    os.environ.setdefault(_SOFTWARE_THREADS, "0")
    return chosen
