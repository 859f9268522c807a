"""The loop that all planners that draw candidates share; each refits what it draws from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from worldmodel.errors import check_whole
from worldmodel.planners.chunks import decisions, repeated
from worldmodel.planners.noise import TruncatedNormal
from worldmodel.planners.planner import Planner, PlannerConfig
from worldmodel.planners.search import Search
from worldmodel.planners.space import Bounds


class Distribution(Protocol):
    """What candidates are drawn from."""

    @property
    def center(self) -> Tensor:
        """The one candidate that stands for it. Shape (E, T', A)."""
        ...

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw `count` candidates, from the same noise for every environment: (E, N, T', A)."""
        ...


@dataclass(frozen=True)
class PopulationConfig(PlannerConfig, ABC):
    """Options of planners that draw a population of candidates.

    Attributes:
        horizon: Steps T of a plan.
        candidates: Sequences N evaluated per iteration; one is the center of the distribution.
        iterations: Rounds of drawing and refitting.
        kept: Best candidates that compete again in the next iteration, without a new evaluation.
        chunk: Steps for which each action is repeated; a plan continues unchanged when multiples
            of it were executed.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    horizon: int = 12
    candidates: int = 80
    iterations: int = 3
    kept: int = 3
    chunk: int = 1

    def __post_init__(self) -> None:
        check_whole(1, self, "horizon", "candidates", "iterations", "kept", "chunk")
        self._check("kept", self.kept <= self.candidates, f"1 to all {self.candidates} candidates")
        self._check(
            "chunk", self.chunk <= self.horizon, f"1 to {self.horizon} steps of the horizon"
        )


@dataclass(frozen=True)
class SamplingConfig(PopulationConfig, ABC):
    """Options of planners that draw continuous actions; see `PopulationConfig` for the others.

    Attributes:
        initial_std: Standard deviation of the first iteration, as a share of half the range,
            0.0001 to 10.
        color: Exponent of the noise's power spectrum over time, 0 to 10: 0 draws every action
            anew, larger ones draw smoother sequences.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    initial_std: float = 0.5
    color: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("initial_std", 1e-4 <= self.initial_std <= 10, "0.0001 to 10")
        self._check("color", 0 <= self.color <= 10, "0 to 10")


Options = TypeVar("Options", bound=PopulationConfig)
NormalOptions = TypeVar("NormalOptions", bound=SamplingConfig)
Drawn = TypeVar("Drawn", bound=Distribution)


class PopulationPlanner(Planner, ABC, Generic[Options, Drawn]):
    """Draws candidates, evaluates them, and refits what it draws from.

    It starts around the previous plan; the best candidates compete again in the next iteration
    (iCEM; Pinneri et al., CoRL 2020), so the best cost never rises, and the plan is the best
    candidate that was ever evaluated.
    """

    def __init__(self, config: Options) -> None:
        self.config = config

    @property
    def horizon(self) -> int:
        """See `Planner.horizon`."""
        return self.config.horizon

    @abstractmethod
    def start(self, search: Search) -> Drawn:
        """What the first iteration draws from, of T' decisions."""

    @abstractmethod
    def refit(self, drawn: Drawn, sequences: Tensor, costs: Tensor) -> Drawn:
        """What the next iteration draws from.

        Args:
            drawn: What this iteration drew from.
            sequences: Candidates of this iteration and the best of those before. Shape
                (E, K, T', A).
            costs: Theirs, infinite for those that do not count. Shape (E, K).
        """

    def population(self, iteration: int) -> int:
        """Candidates that are evaluated in an iteration, the first being 0."""
        return self.config.candidates

    def carried(self, search: Search) -> Tensor:
        """Candidates of the first iteration that an earlier plan left. Shape (E, K, T', A)."""
        return self.decisions(search.others[:, :0])

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """See `Planner.search`."""
        best, _ = self.explore(search)
        return search.best, best

    def explore(self, search: Search) -> tuple[Tensor, Drawn]:
        """All iterations, or those for which there is time.

        Returns:
            The best candidates, best first, shape (E, K, T, A), and what the last iteration left to
            draw from.
        """
        drawn, fresh = self.start(search), self.carried(search)
        best = fresh[:, :0]
        costs = best.new_empty(best.shape[:2])
        for iteration in range(self.config.iterations):
            missing = self.population(iteration) - fresh.shape[1] - 1
            sampled = drawn.sample(missing, search.generator)
            fresh = torch.cat([drawn.center[:, None], fresh, sampled], dim=1)
            sequences = torch.cat([best, fresh], dim=1)
            costs = torch.cat([costs, search.costs(self.actions(fresh))], dim=1)
            best, kept = lowest(sequences, costs, self.config.kept)
            if search.over:
                break
            drawn, costs, fresh = self.refit(drawn, sequences, costs), kept, fresh[:, :0]
        return self.actions(best), drawn

    def decisions(self, actions: Tensor) -> Tensor:
        """The first action of every chunk, (..., T', A), of actions (..., T, A)."""
        return decisions(actions, self.config.chunk)

    def actions(self, sequences: Tensor) -> Tensor:
        """Repeat each decision (..., T', A) for its chunk of steps. Shape (..., T, A)."""
        return repeated(sequences, self.config.chunk, self.horizon)


class SamplingPlanner(PopulationPlanner[NormalOptions, TruncatedNormal], ABC):
    """Draws continuous actions from a normal distribution that is truncated to the bounds."""

    def start(self, search: Search) -> TruncatedNormal:
        """Around the previous plan, or around the middle of the bounds."""
        return around(search, self.config.initial_std, self.config.color, self.config.chunk)


def around(search: Search, std: float, color: float, chunk: int) -> TruncatedNormal:
    """Decisions around the previous plan, or around the middle of the bounds.

    Args:
        search: Whose actions are continuous.
        std: Standard deviation, as a share of half the range.
        color: See `SamplingConfig`.
        chunk: Steps for which each decision is repeated.
    """
    bounds = search.space
    assert isinstance(bounds, Bounds)
    middle = bounds.middle.expand(search.shape)
    mean = decisions(middle if search.start is None else search.start, chunk)
    return TruncatedNormal(mean, (std * bounds.half_range).expand_as(mean), bounds, color)


def lowest(sequences: Tensor, costs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The sequences (E, K, T', A) of lowest cost and their costs (E, K), best first.

    Where fewer than `count` have a finite cost the best stands for the others.
    """
    costs, order = costs.topk(min(count, costs.shape[1]), dim=1, largest=False)
    order = torch.where(torch.isfinite(costs), order, order[:, :1])
    return sequences.take_along_dim(order[:, :, None, None], dim=1), costs
