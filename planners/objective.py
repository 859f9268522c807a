"""The imagined objective: a world model, the present state, and a cost."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from worldmodel.model import State, WorldModel
from worldmodel.planners.costs import Cost
from worldmodel.rollout import imagined


@final
class ImaginedObjective:
    """Cost of action sequences in a model's imagination.

    The context is not encoded again: every candidate starts from the same state.

    Args:
        model: The world model, in evaluation mode.
        state: A rollout's state, batch size (E,).
        cost: Of the imagined frames, clipped to [0, 1].
        at_once: Candidates per environment imagined side by side; all if None. Fewer need less
            memory.
        bfloat16: Run the model in bfloat16 autocast.
    """

    def __init__(
        self,
        model: WorldModel,
        state: State,
        cost: Cost,
        at_once: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        self._model, self._state, self._cost = model, state, cost
        self._at_once, self._bfloat16 = at_once, bfloat16

    @torch.inference_mode()
    def __call__(self, actions: Tensor) -> Tensor:
        """Costs (E, N) of candidate actions (E, N, T, A).

        Raises:
            InputError: The actions or the state's frame do not fit the model.
        """
        self._model.check_input(self._state["frame"], actions)
        parts = actions.split(self._at_once or actions.shape[1], dim=1)
        return torch.cat([self._costs(part) for part in parts], dim=1)

    def _costs(self, actions: Tensor) -> Tensor:
        environments, candidates, horizon, _ = actions.shape
        state = self._state.unsqueeze(1).expand(environments, candidates).flatten(0, 1)
        flat = actions.to(self._model.device).flatten(0, 1)
        total = flat.new_zeros(len(flat))
        with torch.autocast(flat.device.type, torch.bfloat16, enabled=self._bfloat16):
            for t, future in enumerate(imagined(self._model, state, flat)):
                frame = future["frame"].float().clamp(0.0, 1.0)
                total += self._cost.step(frame, flat[:, t], t, horizon)
        return total.unflatten(0, (environments, candidates)).to(actions.device)
