"""What all planners that draw candidates share: one loop, in which each refits its search."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.planners.noise import TruncatedNormal
from worldmodel.planners.planner import Bounds, Objective, Plan, Planner, PlannerConfig


@dataclass(frozen=True)
class SamplingConfig(PlannerConfig, ABC):
    """Options that sampling planners share.

    Attributes:
        horizon: Steps T of a plan.
        candidates: Sequences N evaluated per iteration; one of them is the current mean.
        iterations: Rounds of sampling and refitting.
        kept: Best candidates that compete again in the next iteration, without a new evaluation.
        initial_std: Standard deviation of the first iteration, as a share of half the range.
        noise_correlation: Correlation of the noise between successive actions, in [0, 1).
        chunk: Steps for which each action is repeated; a plan continues unchanged when multiples
            of it were executed.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    horizon: int = 12
    candidates: int = 80
    iterations: int = 3
    kept: int = 3
    initial_std: float = 0.5
    noise_correlation: float = 0.0
    chunk: int = 1

    def __post_init__(self) -> None:
        self._check("horizon", self.horizon >= 1, "at least 1")
        self._check("candidates", self.candidates >= 1, "at least 1")
        self._check("iterations", self.iterations >= 1, "at least 1")
        self._check("kept", 1 <= self.kept <= self.candidates, f"1 to {self.candidates} candidates")
        self._check("initial_std", 0 < self.initial_std < math.inf, "above 0 and finite")
        self._check("noise_correlation", 0 <= self.noise_correlation < 1, "at least 0 and below 1")
        self._check(
            "chunk", 1 <= self.chunk <= self.horizon, f"1 to {self.horizon} steps of the horizon"
        )

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            kind = type(self).__name__
            raise InputError(f"{kind}.{name}: expected {expected}, got {getattr(self, name)}")


Options = TypeVar("Options", bound=SamplingConfig)


class SamplingPlanner(Planner, ABC, Generic[Options]):
    """Draws candidates that keep the bounds, evaluates them, and refits what it draws from.

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
    def refit(self, search: TruncatedNormal, sequences: Tensor, costs: Tensor) -> TruncatedNormal:
        """What the next iteration draws from.

        Args:
            search: What this iteration drew from, of T' decisions.
            sequences: Candidates of this iteration and the best of those before. Shape
                (E, K, T', A).
            costs: Theirs, never NaN. Shape (E, K).
        """

    def plan(
        self,
        objective: Objective,
        bounds: Bounds,
        generator: torch.Generator,
        *,
        environments: int = 1,
        previous: Plan | None = None,
        seconds: float | None = None,
    ) -> Plan:
        """See `Planner.plan`."""
        start = time.perf_counter()
        config = self.config
        search = self._start(bounds, environments, previous)
        best = search.mean.new_empty(environments, 0, *search.mean.shape[1:])
        costs = search.mean.new_empty(environments, 0)
        evaluations = 0
        for _ in range(config.iterations):
            drawn = search.sample(config.candidates - 1, generator)
            fresh = torch.cat([search.mean[:, None], drawn], dim=1)
            sequences = torch.cat([best, fresh], dim=1)
            costs = torch.cat([costs, _evaluate(objective, self._actions(fresh))], dim=1)
            search = self.refit(search, sequences, costs)
            best, costs = lowest(sequences, costs, config.kept)
            evaluations += config.candidates
            if seconds is not None and time.perf_counter() - start >= seconds:
                break
        return Plan(
            actions=self._actions(best[:, 0]),
            cost=costs[:, 0],
            evaluations=evaluations,
            seconds=time.perf_counter() - start,
        )

    def _start(self, bounds: Bounds, environments: int, previous: Plan | None) -> TruncatedNormal:
        """Around the previous plan, or around the middle of the bounds."""
        shape = (environments, self.horizon, len(bounds.low))
        if previous is None:
            mean = bounds.middle.expand(shape)
        elif previous.actions.shape == shape:
            mean = bounds.clamp(previous.actions)
        else:
            raise InputError(
                f"previous plan: expected actions of shape (E, T, A) = {shape}, "
                f"got {tuple(previous.actions.shape)}"
            )
        mean = mean[:, :: self.config.chunk]
        std = (self.config.initial_std * bounds.half_range).expand_as(mean)
        return TruncatedNormal(mean, std, bounds, self.config.noise_correlation)

    def _actions(self, sequences: Tensor) -> Tensor:
        """Repeat each decision (..., T', A) for its chunk of steps. Shape (..., T, A)."""
        repeated = sequences.repeat_interleave(self.config.chunk, dim=-2)
        return repeated[..., : self.horizon, :]


def lowest(sequences: Tensor, costs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The sequences (E, K, T', A) of lowest cost and their costs (E, K), best first."""
    costs, order = costs.topk(count, dim=1, largest=False)
    return sequences.take_along_dim(order[:, :, None, None], dim=1), costs


@torch.inference_mode()
def _evaluate(objective: Objective, actions: Tensor) -> Tensor:
    """Costs (E, N) of actions (E, N, T, A), in the type of the actions."""
    costs = objective(actions).to(actions)
    if costs.shape != actions.shape[:2]:
        raise InputError(
            f"objective: expected costs of shape (E, N) = {tuple(actions.shape[:2])}, "
            f"got {tuple(costs.shape)}"
        )
    if missing := int(costs.isnan().sum()):
        raise InputError(f"objective: expected numbers, got NaN for {missing} of {costs.numel()}")
    return costs
