"""Planning with the simulator itself in place of a learned model: perfect foresight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import numpy as np
import torch
from torch import Tensor

from worldmodel.envs.tasks import TabletopTask
from worldmodel.planners.costs import Cost
from worldmodel.planners.planner import Objective


@final
class SimulatorForesight:
    """Tries actions in the real simulator and returns it to where it was, bit for bit.

    It knows what a learned model would have to predict, the pictures, and neither distance nor
    success. It stands for E = 1 environment and is a `Foresight`.

    Args:
        task: The task that is being played.
    """

    def __init__(self, task: TabletopTask) -> None:
        self._task = task

    def reset(self, frame: Tensor) -> None:
        """Nothing to take in: the simulator is the present."""

    def observe(self, action: Tensor, frame: Tensor) -> None:
        """Nothing to take in: the simulator is the present."""

    def objective(self, cost: Cost) -> Objective:
        """Cost of action sequences; only the pictures that the cost looks at are rendered."""

        def costs(actions: Tensor) -> Tensor:
            with self._present() as present:
                return self._costs(cost, actions[0], present)[None]

        return costs

    def imagine(self, actions: Tensor) -> Tensor:
        """Frames that actions (1, T, A) lead to, in [0, 1]. Shape (1, T, C, H, W)."""
        with self._present():
            frames = []
            for action in actions[0].numpy():
                self._task.tabletop.control(action)
                frames.append(self._frame())
        return torch.stack(frames)[None]

    def _costs(self, cost: Cost, actions: Tensor, present: np.ndarray) -> Tensor:
        """Costs (N,) of actions (N, T, A), all candidates in step."""
        candidates, horizon, _ = actions.shape
        states = [present] * candidates
        height, width, channels = self._task.goal_image.shape
        frames = torch.zeros(candidates, channels, height, width)
        total = actions.new_zeros(candidates)
        for t in range(horizon):
            for n, action in enumerate(actions[:, t].numpy()):
                self._task.restore_state(states[n])
                self._task.tabletop.control(action)
                states[n] = self._task.save_state()
                if cost.sees(t, horizon):
                    frames[n] = self._frame()
            total += cost.step(frames, actions[:, t], t, horizon)
        return total

    @contextmanager
    def _present(self) -> Iterator[np.ndarray]:
        """Whatever is tried inside, the simulator ends up where it was."""
        state = self._task.save_state()
        try:
            yield state
        finally:
            self._task.restore_state(state)

    def _frame(self) -> Tensor:
        return as_frame(self._task.tabletop.render())


def as_frame(picture: np.ndarray) -> Tensor:
    """Bytes (H, W, C) as a frame (C, H, W) in [0, 1]."""
    return torch.from_numpy(picture).movedim(-1, -3) / 255
