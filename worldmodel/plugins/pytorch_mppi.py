"""pytorch_mppi: a world model and a cost as the dynamics and costs of its MPPI."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.model import State, WorldModel
from worldmodel.planners.cost import LAST_STEP, Cost, Schedule
from worldmodel.rollout import advance, begin, foresee


@final
class MPPIModel:
    """A world model whose state is one flat vector per future, as pytorch_mppi passes it around.

    The vector holds the steps imagined so far, the actions that led there, the frame, and the
    recurrent state, so that a cost sees the same `Imagined` step as in our own objective: the
    running costs of a future add up to it.

    Args:
        model: The world model; put into evaluation mode.
        cost: Of one imagined step.
        horizon: Steps T that MPPI imagines, its `horizon`.
        schedule: Which steps count how much; the last alone if left out.

    Attributes:
        nx: Width of a state, MPPI's `nx`.
        horizon: As given.

    Raises:
        InputError: The horizon is below 1.
    """

    def __init__(
        self, model: WorldModel, cost: Cost, horizon: int, schedule: Schedule = LAST_STEP
    ) -> None:
        if horizon < 1:
            raise InputError(f"horizon: expected at least 1 step, got {horizon}")
        self._model, self._cost, self._schedule = model.eval(), cost, schedule
        self.horizon = horizon
        blank = torch.zeros(1, *model.frame_shape, device=model.device, dtype=model.dtype)
        self._template = begin(model, blank)
        self._present: State | None = None
        self.nx = self._packed(self._template, self._no_actions(1), 0).shape[1]

    def reset(self, frames: Tensor) -> Tensor:
        """State at the first frames of E environments.

        Args:
            frames: Values in [0, 1]. Shape (E, C, H, W).

        Returns:
            What `command` takes. Shape (E, nx); E = 1 unless it is `MPPI_Batched`.

        Raises:
            InputError: The frames do not fit the model.
        """
        frames = frames.to(self._model.device, self._model.dtype)
        self._model.check_input(frames, self._no_actions(1))
        self._cost.observe(None, frames)
        return self._moved_to(begin(self._model, frames))

    @torch.no_grad()
    def observe(self, action: Tensor, frames: Tensor) -> Tensor:
        """State after an action, (A,) or (E, A), really led to frames (E, C, H, W); see `reset`.

        Raises:
            InputError: There was no `reset`, or something does not fit the model.
        """
        if self._present is None:
            raise InputError("state: expected `reset` with first frames before `observe`")
        action = action.to(self._model.device, self._model.dtype).reshape(-1, action.shape[-1])
        frames = frames.to(self._model.device, self._model.dtype)
        self._model.check_input(frames, action)
        self._cost.observe(action, frames)
        return self._moved_to(advance(self._model, self._present, action, frames))

    @torch.no_grad()
    def dynamics(self, state: Tensor, action: Tensor) -> Tensor:
        """The next states (K, nx) that actions (K, A) lead to.

        Raises:
            InputError: More than T steps are imagined.
        """
        future, actions, steps = self._unpacked(state)
        if steps == self.horizon:
            raise InputError(f"horizon: expected MPPI to imagine {self.horizon} steps, got more")
        action = action.to(actions)
        actions[:, steps] = action
        return self._packed(foresee(self._model, future, action), actions, steps + 1).to(state)

    @torch.no_grad()
    def running_cost(self, state: Tensor, action: Tensor) -> Tensor:
        """Weighted cost (K,) of the states (K, nx) that `dynamics` returned."""
        imagined = self._imagined(state)
        return (self._schedule * self._cost)(imagined).to(state)

    @torch.no_grad()
    def terminal_cost(self, states: Tensor, actions: Tensor) -> Tensor:
        """Cost (M, K) of the last of states (M, K, T, nx), MPPI's `terminal_state_cost`.

        It stands beside a schedule that leaves the last step out, `Schedule(running=1, last=0)`.
        For it MPPI keeps the states of all steps, which takes T times the memory.
        """
        samples, futures, _, width = states.shape
        costs = self._cost(self._imagined(states[:, :, -1].reshape(-1, width)))
        return costs.to(states).reshape(samples, futures)

    def _moved_to(self, present: State) -> Tensor:
        self._present = present
        return self._packed(present, self._no_actions(len(present)), 0)

    def _no_actions(self, batch: int) -> Tensor:
        shape = (batch, self.horizon, self._model.action_dim)
        return torch.zeros(shape, device=self._model.device, dtype=self._model.dtype)

    def _imagined(self, state: Tensor) -> Imagined:
        """The step that led to a state; actions that come later are still 0."""
        future, actions, steps = self._unpacked(state)
        return Imagined(
            steps - 1,
            actions,
            future,
            frame=lambda: future["frame"].float().clamp(0.0, 1.0),
            latent=lambda: self._model.latent(future["recurrent"]),
        )

    def _packed(self, future: State, actions: Tensor, steps: int) -> Tensor:
        count = actions.new_full((len(actions), 1), steps)
        leaves: list[Tensor] = [future[key] for key in self._keys()]
        flat = [leaf.flatten(1).to(actions) for leaf in leaves]
        return torch.cat([count, actions.flatten(1), *flat], dim=1)

    def _unpacked(self, state: Tensor) -> tuple[State, Tensor, int]:
        """State of the rollout, actions (K, T, A) so far, and steps imagined so far."""
        leaves: list[Tensor] = [self._template[key] for key in self._keys()]
        sizes = [1, self.horizon * self._model.action_dim, *(leaf[0].numel() for leaf in leaves)]
        count, actions, *parts = state.to(leaves[0].device, self._model.dtype).split(sizes, dim=1)
        future = State({}, batch_size=[len(state)])
        for key, leaf, part in zip(self._keys(), leaves, parts, strict=True):
            future[key] = part.unflatten(1, leaf.shape[1:]).to(leaf.dtype)
        return future, actions.unflatten(1, (self.horizon, -1)).clone(), int(count[0])

    def _keys(self) -> list[tuple[str, ...]]:
        keys = self._template.keys(include_nested=True, leaves_only=True)
        return sorted((key,) if isinstance(key, str) else key for key in keys)
