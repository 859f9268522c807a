"""One step of imagined futures: what costs, films and plots look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, final

from torch import Tensor


@final
class Imagined:
    """One step of B = E * N futures; environment 0's N candidates come first.

    Args:
        t: Step, 0 to horizon-1.
        actions: All T actions of the futures, in the units of the log. Shape (B, T, A).
        state: What the next step starts from: a rollout's `State`, or what a simulator saved.
        frame: Makes the frames.
        latent: Makes the latents.
        members: The same step as each member of an ensemble imagines it; empty without one.
    """

    def __init__(
        self,
        t: int,
        actions: Tensor,
        state: Any,
        frame: Callable[[], Tensor],
        latent: Callable[[], Tensor],
        members: tuple[Imagined, ...] = (),
    ) -> None:
        self.t, self.actions, self.state, self.members = t, actions, state, members
        self._frame, self._latent = frame, latent

    @property
    def horizon(self) -> int:
        """Steps T that are imagined."""
        return self.actions.shape[1]

    @property
    def action(self) -> Tensor:
        """What led here. Shape (B, A)."""
        return self.actions[:, self.t]

    @cached_property
    def frame(self) -> Tensor:
        """What is seen, decoded or rendered when first asked for: (B, C, H, W) in [0, 1]."""
        return self._frame()

    @cached_property
    def latent(self) -> Tensor:
        """The model's features, (B, D, h, w).

        Raises:
            InputError: The future comes from a simulator, which has none.
        """
        return self._latent()
