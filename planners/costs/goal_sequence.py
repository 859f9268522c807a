"""One sub-goal after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from torch import Tensor

from worldmodel.errors import InputError, check_whole
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import by_environment
from worldmodel.planners.costs.options import is_number
from worldmodel.planners.costs.weighted_sum import WeightedSumConfig, configured, parts


@final
@dataclass(frozen=True)
class GoalSequenceConfig(CostConfig):
    """Options of `GoalSequence`; the sub-goals are those of the scene.

    Attributes:
        of: Name of the cost of each sub-goal, which is no sequence itself.
        options: Of that cost.
        reached: A sub-goal gives way to the next when what is seen costs at most this share of
            what it cost when the sub-goal became the current one, in [0, 1); None to wait for
            `patience`.
        patience: Steps after which a sub-goal gives way, reached or not; None for any number.
        pace: In place of both: plans of H steps at step t aim at sub-goal int(pace * (t + H)), for
            key frames, one per step of an example.

    Raises:
        InputError: A number is out of range, nothing would ever switch, or the cost is unknown or
            its options are wrong.
    """

    of: str = "goal-image"
    options: dict[str, Any] = field(default_factory=dict)
    reached: float | None = 0.25
    patience: int | None = None
    pace: float | None = None

    def __post_init__(self) -> None:
        if _is_sequence(self.cost):
            raise InputError(
                "goal-sequence: expected the cost of a single sub-goal as `of`, got a goal-sequence"
            )
        reached, pace = self.reached, self.pace
        if reached is not None and not (is_number(reached) and 0 <= reached < 1):
            raise InputError(f"reached: expected at least 0 and below 1, got {reached!r:.80}")
        if self.patience is not None:
            check_whole(1, self, "patience")
        if pace is not None and not (is_number(pace) and 0 < pace < float("inf")):
            raise InputError(f"pace: expected a finite number above 0, got {pace!r:.80}")
        if reached is self.patience is pace is None:
            raise InputError("goal-sequence: expected reached, patience or pace, got none")

    @property
    def cost(self) -> CostConfig:
        """The cost of each sub-goal."""
        return configured(self.of, self.options)

    def build(self, scene: Scene) -> GoalSequence:
        """See `CostConfig.build`."""
        single = [replace(scene, goals=goal[:, None]) for goal in scene.goals.unbind(1)]
        costs = [self.cost.build(each) for each in single]
        if self.pace is not None:
            return GoalSequence(costs, scene.start, reached=None, pace=self.pace)
        return GoalSequence(costs, scene.start, self.reached, self.patience)


@final
class GoalSequence(Cost):
    """The cost of the current sub-goal, for each environment its own.

    Args:
        costs: Of each sub-goal, in order.
        start: What is seen at the start, values in [0, 1]. Shape (E, C, H, W).
        reached: See `GoalSequenceConfig`.
        patience: Likewise.
        pace: Likewise.

    Raises:
        InputError: There is no cost; or `reached` is given with a cost of more than frames and
            actions, which has nothing to say of what is seen.
    """

    def __init__(
        self,
        costs: Sequence[Cost],
        start: Tensor,
        reached: float | None = 0.25,
        patience: int | None = None,
        pace: float | None = None,
    ) -> None:
        if not costs:
            raise InputError("goal-sequence: expected the cost of a sub-goal, got none")
        self._costs, self._reached, self._patience, self._pace = costs, reached, patience, pace
        self._begin(start)

    @property
    def current(self) -> Tensor:
        """Index of each environment's sub-goal, where it does not go by `pace`. Shape (E,)."""
        return self._current

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`."""
        if self._pace is not None:
            wanted = int(self._pace * (self._steps + imagined.horizon))
            return self._costs[min(wanted, len(self._costs) - 1)](imagined)
        return self._of_current(imagined)

    def observe(self, action: Tensor | None, frame: Tensor) -> None:
        """Switch where a sub-goal was reached or took too long; see `Cost.observe`."""
        for cost in self._costs:
            cost.observe(action, frame)
        if action is None:
            self._begin(frame)
            return
        self._steps += 1
        self._since += 1
        done = torch.zeros_like(self._current, dtype=torch.bool)
        if self._reached is not None:
            done |= self._of_current(_seen(frame, action)) <= self._reached * self._first
        if self._patience is not None:
            done |= self._since >= self._patience
        done &= self._current < len(self._costs) - 1
        if done.any():
            self._current = self._current + done
            self._since[done] = 0
            self._measure(frame, action, done)

    def _begin(self, frame: Tensor) -> None:
        self._current = torch.zeros(len(frame), dtype=torch.long, device=frame.device)
        self._since = torch.zeros_like(self._current)
        self._first = frame.new_full((len(frame),), torch.nan)
        self._steps = 0
        self._measure(frame, None, torch.ones_like(self._current, dtype=torch.bool))

    def _measure(self, frame: Tensor, action: Tensor | None, where: Tensor) -> None:
        """What the current sub-goals cost now, in some environments."""
        if self._reached is not None:
            costs = self._of_current(_seen(frame, action)).to(self._first)
            self._first = torch.where(where, costs, self._first)

    def _of_current(self, imagined: Imagined) -> Tensor:
        """Each future's cost to the sub-goal of its environment. Shape (B,)."""
        indices = self._current.unique().tolist()
        total = self._costs[indices[0]](imagined)
        for index in indices[1:]:
            costs = by_environment(self._costs[index](imagined), len(self._current))
            here = (self._current == index).to(total.device)[:, None]
            total = torch.where(here, costs, by_environment(total, len(here))).flatten()
        return total


def _is_sequence(cost: CostConfig) -> bool:
    """Whether it goes through sub-goals, or one of its parts does."""
    if isinstance(cost, WeightedSumConfig):
        return any(_is_sequence(part.config) for part in parts(cost.of))
    return isinstance(cost, GoalSequenceConfig)


def _seen(frame: Tensor, action: Tensor | None) -> Imagined:
    """What is seen, as if it were imagined: one future of each environment."""
    actions = frame.new_zeros(len(frame), 1, 0) if action is None else action[:, None]
    return Imagined(0, actions, None, frame=lambda: frame, latent=_no_latent)


def _no_latent() -> Tensor:
    raise InputError(
        "goal-sequence: `reached` asks what a seen picture costs, and this cost needs features; "
        "expected `patience` or `pace` beside `reached: null`"
    )
