"""Planning with the simulator itself in place of a learned model: perfect foresight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, final

import torch
from torch import Tensor

from worldmodel.envs.goal_env import GoalEnv
from worldmodel.errors import InputError
from worldmodel.frames import as_frames
from worldmodel.imagined import Imagined
from worldmodel.model import WorldModel


@final
class SimulatorForesight:
    """Tries actions in the real simulator and returns it to where it was, bit for bit.

    It knows what a learned model would have to predict, the pictures, and neither distance nor
    success. It stands for E = 1 environment and is a `Foresight`; only frames that somebody asks
    for are rendered.

    Args:
        env: What is being played.
    """

    def __init__(self, env: GoalEnv) -> None:
        self._env = env

    @property
    def models(self) -> tuple[WorldModel, ...]:
        """None: no gradients flow, and there are no latents."""
        return ()

    def reset(self, frame: Tensor) -> None:
        """Nothing to take in: the simulator is the present."""

    def observe(self, action: Tensor, frame: Tensor) -> None:
        """Nothing to take in: the simulator is the present."""

    def imagine(self, actions: Tensor) -> Iterator[Imagined]:
        """See `Foresight.imagine`; all candidates go in step.

        Raises:
            InputError: The actions are not for one environment.
        """
        environments, candidates, horizon, _ = actions.shape
        if environments != 1:
            raise InputError(f"simulator: expected actions of 1 environment, got {environments}")
        states: tuple[Any, ...] = (self._env.save_state(),) * candidates
        for t in range(horizon):
            states = self._advanced(states, actions[0, :, t])
            yield Imagined(
                t, actions[0], states, frame=partial(self._frames, states), latent=_no_latent
            )

    def _advanced(self, states: Sequence[Any], actions: Tensor) -> tuple[Any, ...]:
        """The states that an action each leads to."""

        def advanced(state: Any, action: Tensor) -> Any:
            self._env.restore_state(state)
            self._env.advance(action.numpy())
            return self._env.save_state()

        with self._undone():
            return tuple(map(advanced, states, actions))

    def _frames(self, states: Sequence[Any]) -> Tensor:
        """What is seen in each state: (N, C, H, W) in [0, 1]."""

        def frame(state: Any) -> Tensor:
            self._env.restore_state(state)
            return as_frames(self._env.render())

        with self._undone():
            return torch.cat([frame(state) for state in states])

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """Whatever is tried inside, the simulator ends up where it was."""
        present = self._env.save_state()
        try:
            yield
        finally:
            self._env.restore_state(present)


def _no_latent() -> Tensor:
    raise InputError(
        "latent: a simulator has none; expected a cost of frames or actions, or a learned model"
    )
