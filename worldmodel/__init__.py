"""Foresight for robots: learn a video world model from robot logs and plan with it.

What a first program needs is here: `import worldmodel as wm`, then `wm.load`, `wm.CEM`, and so on.
Each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worldmodel.checkpoint import load
    from worldmodel.clip import Clip
    from worldmodel.data.clips.config import DataConfig
    from worldmodel.envs import make
    from worldmodel.errors import InputError
    from worldmodel.evaluation import evaluate
    from worldmodel.planners.agent import VisualMPC
    from worldmodel.planners.cem import CEM, CEMConfig
    from worldmodel.planners.cost import Schedule
    from worldmodel.planners.costs.goal_image import GoalImage
    from worldmodel.planners.foresight import ModelForesight
    from worldmodel.planners.objective import objective
    from worldmodel.planners.space import Bounds
    from worldmodel.training.train import TrainConfig, train

    __version__: str

_WHERE = {
    "Bounds": "planners.space",
    "CEM": "planners.cem",
    "CEMConfig": "planners.cem",
    "Clip": "clip",
    "DataConfig": "data.clips.config",
    "GoalImage": "planners.costs.goal_image",
    "InputError": "errors",
    "ModelForesight": "planners.foresight",
    "Schedule": "planners.cost",
    "TrainConfig": "training.train",
    "VisualMPC": "planners.agent",
    "evaluate": "evaluation",
    "load": "checkpoint",
    "make": "envs",
    "objective": "planners.objective",
    "train": "training.train",
}
"""Module of each name."""

__all__ = [
    "CEM",
    "Bounds",
    "CEMConfig",
    "Clip",
    "DataConfig",
    "GoalImage",
    "InputError",
    "ModelForesight",
    "Schedule",
    "TrainConfig",
    "VisualMPC",
    "__version__",
    "evaluate",
    "load",
    "make",
    "objective",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("worldmodel")
    if name not in _WHERE:
        raise AttributeError(f"module 'worldmodel' has no attribute {name!r}")
    value = getattr(import_module(f"worldmodel.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
