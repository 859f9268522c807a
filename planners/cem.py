"""Planning by the cross-entropy method."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.planners.noise import TruncatedNormal
from worldmodel.planners.planner import Bounds, Objective, Plan, Planner


@dataclass(frozen=True)  # not final: jsonargparse nests plain dataclasses only
class CEMConfig:
    """Options of `CEM`.

    Attributes:
        horizon: Steps T of a plan.
        candidates: Sequences N evaluated per iteration; one of them is the current mean.
        iterations: Rounds of sampling and refitting.
        elites: Best sequences K that the next mean and standard deviation are fitted to.
        kept: Elites that compete again in the next iteration, without a new evaluation.
        smoothing: Share of the old mean and standard deviation in the new ones, in [0, 1).
        initial_std: Standard deviation of the first iteration, as a share of half the range.
        min_std: Smallest standard deviation, as a share of half the range.
        noise_correlation: Correlation of the noise between successive actions, in [0, 1).
        chunk: Steps for which each action is repeated; a plan continues unchanged when multiples
            of it were executed.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    horizon: int = 12
    candidates: int = 80
    iterations: int = 3
    elites: int = 10
    kept: int = 3
    smoothing: float = 0.1
    initial_std: float = 0.5
    min_std: float = 0.02
    noise_correlation: float = 0.0
    chunk: int = 1

    def __post_init__(self) -> None:
        ranges = {
            "horizon": (self.horizon >= 1, "at least 1"),
            "iterations": (self.iterations >= 1, "at least 1"),
            "elites": (2 <= self.elites <= self.candidates, f"2 to {self.candidates} candidates"),
            "kept": (1 <= self.kept <= self.elites, f"1 to {self.elites} elites"),
            "smoothing": (0 <= self.smoothing < 1, "at least 0 and below 1"),
            "initial_std": (self.initial_std > 0, "above 0"),
            "min_std": (0 < self.min_std <= self.initial_std, "above 0 and at most initial_std"),
            "noise_correlation": (0 <= self.noise_correlation < 1, "at least 0 and below 1"),
            "chunk": (1 <= self.chunk <= self.horizon, f"1 to {self.horizon} steps of the horizon"),
        }
        for name, (holds, expected) in ranges.items():
            if not holds:
                raise InputError(
                    f"CEMConfig.{name}: expected {expected}, got {getattr(self, name)}"
                )


@final
class CEM(Planner):
    """The cross-entropy method (Rubinstein, 1999) with candidates that keep the bounds.

    The best elites compete again in the next iteration (iCEM; Pinneri et al., CoRL 2020), so the
    best cost never rises, and the plan is the best candidate that was ever evaluated.
    """

    def __init__(self, config: CEMConfig = CEMConfig()) -> None:
        self.config = config

    @property
    def horizon(self) -> int:
        """See `Planner.horizon`."""
        return self.config.horizon

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
        noise = self._initial_noise(bounds, environments, previous)
        elites = noise.mean.new_empty(environments, 0, *noise.mean.shape[1:])
        costs = noise.mean.new_empty(environments, 0)
        history: list[Tensor] = []
        for _ in range(config.iterations):
            fresh = torch.cat(
                [noise.mean[:, None], noise.sample(config.candidates - 1, generator)], dim=1
            )
            sequences = torch.cat([elites[:, : config.kept], fresh], dim=1)
            fresh_costs = _evaluate(objective, self._actions(fresh))
            costs = torch.cat([costs[:, : config.kept], fresh_costs], dim=1)
            elites, costs = _best(sequences, costs, config.elites)
            noise = self._fitted(noise, elites)
            history.append(costs[:, 0])
            if seconds is not None and time.perf_counter() - start >= seconds:
                break
        actions = self._actions(elites)
        return Plan(
            actions=actions[:, 0],
            cost=costs[:, 0],
            elites=actions,
            history=torch.stack(history, dim=1),
            evaluations=len(history) * config.candidates,
            seconds=time.perf_counter() - start,
        )

    def _initial_noise(
        self, bounds: Bounds, environments: int, previous: Plan | None
    ) -> TruncatedNormal:
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

    def _fitted(self, noise: TruncatedNormal, elites: Tensor) -> TruncatedNormal:
        """Moved towards the mean and standard deviation of the elites (E, K, T, A)."""
        old = self.config.smoothing
        std = old * noise.std + (1 - old) * elites.std(1, correction=0)
        return TruncatedNormal(
            old * noise.mean + (1 - old) * elites.mean(1),
            std.maximum(self.config.min_std * noise.bounds.half_range),
            noise.bounds,
            noise.correlation,
        )

    def _actions(self, sequences: Tensor) -> Tensor:
        """Repeat each decision (..., T', A) for its chunk of steps. Shape (..., T, A)."""
        repeated = sequences.repeat_interleave(self.config.chunk, dim=-2)
        return repeated[..., : self.horizon, :]


def _best(sequences: Tensor, costs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The sequences (E, K, T, A) of lowest cost and their costs (E, K), best first."""
    costs, order = costs.topk(count, dim=1, largest=False)
    return sequences.take_along_dim(order[:, :, None, None], dim=1), costs


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
