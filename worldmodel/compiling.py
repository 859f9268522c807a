"""Compiled steps of a model, and what happens where they cannot be compiled."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import torch

from worldmodel.model import WorldModel

_STEPS = ("transition", "sampled_transition", "training_transition")
_FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "worldmodel", "compiled")


def compile_steps(model: WorldModel) -> WorldModel:
    """The same model, whose steps are compiled when they are first taken, for each shape of batch.

    That takes about a minute for each shape, and seconds where it was done before: what was
    compiled is kept in the user's cache folder, or in TORCHINDUCTOR_CACHE_DIR. Where compiling
    fails, a warning says so and the steps are taken as they were.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(_FOLDER))
    for name in _STEPS:
        step = getattr(model, name)
        if not isinstance(step, _Step):
            setattr(model, name, _Step(step, type(model).__name__))
    return model


@final
class _Step:
    """A step that is compiled, unless that fails; what is wrong with the step itself is raised."""

    def __init__(self, plain: Callable[..., Any], architecture: str) -> None:
        self._plain, self._architecture = plain, architecture
        self._compiled: Callable[..., Any] | None = torch.compile(plain)

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is None:
            return self._plain(*arguments)
        try:
            return self._compiled(*arguments)
        except RuntimeError as error:
            self._compiled = None
            logging.getLogger(__name__).warning(
                "the steps of %s cannot be compiled here and are taken as they are: %s",
                self._architecture,
                str(error).strip().partition("\n")[0],
            )
        return self._plain(*arguments)
