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
        horizon: Steps T that are imagined.
        action: What led here, in the units of the log. Shape (B, A).
        state: What the next step starts from: a rollout's `State`, or what a simulator saved.
        frame: Makes the frames.
        latent: Makes the latents.
    """

    def __init__(
        self,
        t: int,
        horizon: int,
        action: Tensor,
        state: Any,
        frame: Callable[[], Tensor],
        latent: Callable[[], Tensor],
    ) -> None:
        self.t, self.horizon, self.action, self.state = t, horizon, action, state
        self._frame, self._latent = frame, latent

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
