"""What tells the future of actions: a learned model, or a simulator in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, final

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.model import State, WorldModel
from worldmodel.rollout import advance, begin, imagine


class Foresight(Protocol):
    """Keeps the present of E environments and imagines futures from it.

    Frames have values in [0, 1] and shape (E, C, H, W).
    """

    def reset(self, frame: Tensor) -> None:
        """Start from a first frame."""
        ...

    def observe(self, action: Tensor, frame: Tensor) -> None:
        """Take in that an action (E, A) really led to a frame."""
        ...

    def imagine(self, actions: Tensor) -> Iterator[Imagined]:
        """Yield each step of the futures that actions (E, N, T, A) lead to from the present.

        Raises:
            InputError: The actions do not fit, or there was no `reset`.
        """
        ...


@final
class ModelForesight:
    """A world model that keeps its state between plans: each frame is encoded once.

    Args:
        model: The world model; put into evaluation mode.
        bfloat16: Imagine in bfloat16 autocast.
    """

    def __init__(self, model: WorldModel, bfloat16: bool = False) -> None:
        self._model, self._bfloat16 = model.eval(), bfloat16
        self._state: State | None = None

    def reset(self, frame: Tensor) -> None:
        """See `Foresight.reset`."""
        self._state = begin(self._model, frame.to(self._model.device))

    @torch.no_grad()
    def observe(self, action: Tensor, frame: Tensor) -> None:
        """See `Foresight.observe`."""
        device = self._model.device
        self._state = advance(self._model, self._now(), action.to(device), frame.to(device))

    def imagine(self, actions: Tensor) -> Iterator[Imagined]:
        """See `Foresight.imagine`."""
        present = self._now()
        self._model.check_input(present["frame"], actions)
        environments, candidates, horizon, _ = actions.shape
        flat = actions.to(self._model.device).flatten(0, 1)
        state = present.unsqueeze(1).expand(environments, candidates).flatten(0, 1)
        future = imagine(self._model, state, flat)
        for _ in range(horizon):
            with torch.autocast(flat.device.type, torch.bfloat16, enabled=self._bfloat16):
                step = next(future)
            yield step

    def _now(self) -> State:
        if self._state is None:
            raise InputError("foresight: expected `reset` with a first frame before anything else")
        return self._state
