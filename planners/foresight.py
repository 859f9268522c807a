"""What tells the future of actions: a learned model, several, or a simulator in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
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

    @property
    def models(self) -> tuple[WorldModel, ...]:
        """The learned models that imagine, through which gradients flow; empty for a simulator."""
        ...

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

    @property
    def models(self) -> tuple[WorldModel, ...]:
        """See `Foresight.models`."""
        return (self._model,)

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


@final
class EnsembleForesight:
    """Several world models side by side; what is seen is their average.

    Args:
        models: At least two, of the same frames and actions.
        bfloat16: Imagine in bfloat16 autocast.

    Raises:
        InputError: There are fewer than two, or their frames or actions differ.
    """

    def __init__(self, models: Sequence[WorldModel], bfloat16: bool = False) -> None:
        shapes = [(model.frame_shape, model.action_dim) for model in models]
        if len(models) < 2 or len(set(shapes)) > 1:
            raise InputError(
                "ensemble: expected at least two models of the same frames and actions, "
                f"got {shapes}"
            )
        self._members = tuple(ModelForesight(model, bfloat16) for model in models)

    @property
    def models(self) -> tuple[WorldModel, ...]:
        """See `Foresight.models`."""
        return tuple(member.models[0] for member in self._members)

    def reset(self, frame: Tensor) -> None:
        """See `Foresight.reset`."""
        for member in self._members:
            member.reset(frame)

    def observe(self, action: Tensor, frame: Tensor) -> None:
        """See `Foresight.observe`."""
        for member in self._members:
            member.observe(action, frame)

    def imagine(self, actions: Tensor) -> Iterator[Imagined]:
        """See `Foresight.imagine`; the latents are those of the first member."""
        for steps in zip(*(member.imagine(actions) for member in self._members), strict=True):
            first = steps[0]
            yield Imagined(
                first.t,
                first.actions,
                tuple(step.state for step in steps),
                frame=partial(_average, steps),
                latent=partial(getattr, first, "latent"),
                members=steps,
            )


def _average(steps: Sequence[Imagined]) -> Tensor:
    return torch.stack([step.frame for step in steps]).mean(0)
