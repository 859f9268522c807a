"""What actions there are to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError


@final
@dataclass(frozen=True)
class Bounds:
    """Continuous actions within limits, in the units of the actions.

    Attributes:
        low: Smallest values. Shape (A,).
        high: Largest values, each above its smallest. Shape (A,).

    Raises:
        InputError: The two are no vectors of one length and type, float32 or float64; are not
            finite, or too large to be squared; or touch or cross.
    """

    low: Tensor
    high: Tensor

    def __post_init__(self) -> None:
        kinds = [getattr(limit, "dtype", type(limit).__name__) for limit in (self.low, self.high)]
        if kinds[0] != kinds[1] or kinds[0] not in (torch.float32, torch.float64):
            raise InputError(
                "bounds: expected tensors low and high, both float32 or both float64, "
                f"got {kinds[0]} and {kinds[1]}"
            )
        if self.low.ndim != 1 or self.low.shape != self.high.shape or not len(self.low):
            raise InputError(
                "bounds: expected low and high of shape (A,), "
                f"got {tuple(self.low.shape)} and {tuple(self.high.shape)}"
            )
        if (
            not torch.isfinite((self.high - self.low).square()).all()
            or (self.low >= self.high).any()
        ):
            raise InputError(
                "bounds: expected finite low < high in every dimension, "
                f"got {self.low.tolist()} and {self.high.tolist()}"
            )

    @property
    def width(self) -> int:
        """Width A of an action."""
        return len(self.low)

    @property
    def middle(self) -> Tensor:
        """Centre. Shape (A,)."""
        return (self.low + self.high) / 2

    @property
    def half_range(self) -> Tensor:
        """Distance from the centre to a limit. Shape (A,)."""
        return (self.high - self.low) / 2

    def nearest(self, actions: Tensor) -> Tensor:
        """The nearest actions (..., A) within the limits."""
        return actions.clamp(self.low, self.high)

    def rest(self, shape: tuple[int, ...]) -> Tensor:
        """No motion, or what is nearest to it within the limits, of shape (*shape, A)."""
        return self.nearest(self.low.new_zeros(*shape, self.width))

    def uniform(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Actions drawn evenly, of shape (*shape, A)."""
        share = torch.rand(*shape, self.width, generator=generator, device=generator.device)
        return torch.lerp(self.low, self.high, share.to(self.low))


@final
@dataclass(frozen=True)
class Choices:
    """A number of actions to choose from.

    Attributes:
        actions: One a row, as the model takes them; no two alike. Shape (K, A), K at least 2.

    Raises:
        InputError: There are fewer than two, two are alike, or one is not finite.
    """

    actions: Tensor

    def __post_init__(self) -> None:
        rows = self.actions
        if not isinstance(rows, Tensor) or not rows.is_floating_point():
            raise InputError(f"choices: expected a floating-point tensor, got {rows!r:.80}")
        if rows.ndim != 2 or len(rows) < 2 or not torch.isfinite(rows).all():
            raise InputError(
                "choices: expected at least two finite actions, shape (K, A), "
                f"got shape {tuple(rows.shape)}"
            )
        if len(rows.unique(dim=0)) < len(rows):
            raise InputError("choices: expected no two actions alike, got some that are")

    @property
    def width(self) -> int:
        """Width A of an action."""
        return self.actions.shape[1]

    def index(self, actions: Tensor) -> Tensor:
        """Numbers of the rows nearest to actions (..., A), of equals the first. Shape (...)."""
        return (actions[..., None, :] - self.actions).square().sum(-1).argmin(-1)

    def nearest(self, actions: Tensor) -> Tensor:
        """The nearest actions (..., A) to choose from."""
        return self.actions[self.index(actions)]

    def rest(self, shape: tuple[int, ...]) -> Tensor:
        """No motion, or what is nearest to it of the choices, of shape (*shape, A)."""
        return self.nearest(self.actions.new_zeros(*shape, self.width))

    def uniform(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Actions drawn evenly, of shape (*shape, A)."""
        device = generator.device
        drawn = torch.randint(len(self.actions), shape, generator=generator, device=device)
        return self.actions[drawn.to(self.actions.device)]


ActionSpace = Bounds | Choices
"""What actions there are."""


def action_space_of(space: gym.Space[Any]) -> ActionSpace:
    """The actions of an environment; those of a `Discrete` are one-hot vectors.

    Raises:
        InputError: They are neither vectors of floats with finite limits nor a `Discrete`.
    """
    if isinstance(space, gym.spaces.Discrete):
        return Choices(torch.eye(int(space.n)))
    if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
        raise InputError(
            f"actions: expected a Box of shape (A,) with finite limits, or a Discrete, got {space}"
        )
    check_floats(space)
    low, high = (torch.from_numpy(limit.astype(np.float32)) for limit in (space.low, space.high))
    return Bounds(low, high)


def check_floats(space: gym.spaces.Box) -> None:
    """Refuse whole numbers: what is planned lies between them.

    Raises:
        InputError: Names the type.
    """
    if not np.issubdtype(space.dtype, np.floating):
        raise InputError(
            f"actions: expected a Box of floats, or a Discrete, got a Box of {space.dtype}: {space}"
        )
