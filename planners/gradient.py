"""Planning by gradient descent through the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.errors import check_whole
from worldmodel.planners.chunks import repeated, summed
from worldmodel.planners.planner import Planner, PlannerConfig
from worldmodel.planners.sampling import around
from worldmodel.planners.search import Search
from worldmodel.planners.space import Bounds


@final
@dataclass(frozen=True)
class GradientConfig(PlannerConfig):
    """Options of `Gradient`.

    Attributes:
        horizon: Steps T of a plan.
        sequences: Sequences that descend side by side; the first starts where it is told to.
        steps: Steps of descent; each evaluates all sequences once, forward and backward.
        learning_rate: Of Adam, as a share of half the range: about the largest change of an action
            in one step.
        initial_std: Spread of the sequences at the start, as a share of half the range.
        color: Exponent of the power spectrum of that spread, see `SamplingConfig`.
        chunk: Steps for which each action is repeated.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    horizon: int = 12
    sequences: int = 4
    steps: int = 20
    learning_rate: float = 0.1
    initial_std: float = 0.5
    color: float = 0.0
    chunk: int = 1

    def __post_init__(self) -> None:
        check_whole(1, self, "horizon", "sequences", "steps", "chunk")
        self._check("learning_rate", 0 < self.learning_rate < math.inf, "above 0 and finite")
        self._check("initial_std", 1e-4 <= self.initial_std <= 10, "0.0001 to 10")
        self._check("color", 0 <= self.color <= 10, "0 to 10")
        self._check(
            "chunk", self.chunk <= self.horizon, f"1 to {self.horizon} steps of the horizon"
        )

    def build(self) -> Gradient:
        """See `PlannerConfig.build`."""
        return Gradient(self)


@final
class Gradient(Planner):
    """Adam (Kingma and Ba, 2015) on several sequences, projected on the bounds after every step."""

    needs_gradients = True

    def __init__(self, config: GradientConfig) -> None:
        self.config = config
        warm_up()

    @property
    def horizon(self) -> int:
        """See `Planner.horizon`."""
        return self.config.horizon

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """See `Planner.search`."""
        config = self.config
        drawn = around(search, config.initial_std, config.color, config.chunk)
        sampled = drawn.sample(config.sequences - 1, search.generator)
        sequences = torch.cat([drawn.center[:, None], sampled], dim=1)
        descend(search, sequences, config.steps, config.learning_rate, config.chunk)
        return search.best, search.best[:, None]


def warm_up() -> None:
    """Let the optimizer import what it needs, some seconds' worth, before any clock runs."""
    torch.optim.Adam([torch.zeros(1)])


def descend(search: Search, sequences: Tensor, steps: int, rate: float, chunk: int) -> None:
    """Move decisions (E, N, T', A) down the gradient; the search remembers the best.

    Args:
        search: What to minimise; its actions are continuous.
        sequences: Where to start.
        steps: At most so many.
        rate: Learning rate of Adam, as a share of half the range.
        chunk: Steps for which each decision is repeated.
    """
    bounds, horizon = search.space, search.shape[1]
    assert isinstance(bounds, Bounds)
    share = (sequences - bounds.middle) / bounds.half_range
    optimizer = torch.optim.Adam([share], lr=rate)

    def actions() -> Tensor:
        within = bounds.nearest(bounds.middle + bounds.half_range * share)
        return repeated(within, chunk, horizon)

    for _ in range(steps):
        _, gradients = search.costs_and_gradients(actions())
        if search.over:
            return
        share.grad = summed(gradients, chunk) * bounds.half_range
        optimizer.step()
        share.clamp_(-1.0, 1.0)
    search.costs(actions())
