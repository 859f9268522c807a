"""What the episodes of a planning benchmark amount to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, final

from worldmodel.envs.play import Outcome
from worldmodel.errors import InputError

Contestant = Literal["model", "oracle", "random", "null"]
"""The learned model, the simulator in its place, random actions, no motion."""


@final
@dataclass(frozen=True)
class EpisodeRecord:
    """One contestant's episode.

    Attributes:
        laboratory: Where it was played.
        episode: Its number there, from 0.
        contestant: Who played.
        seed: Of start and goal.
        skipped: Draws before this seed whose start already met the goal.
        outcome: How it went.
    """

    laboratory: str
    episode: int
    contestant: Contestant
    seed: int
    skipped: int
    outcome: Outcome


@final
@dataclass(frozen=True)
class Score:
    """What one contestant's episodes amount to.

    Attributes:
        episodes: Number N.
        successes: Episodes whose last state holds the goal.
        interval: Limits of the success rate at 95 % confidence, after Wilson.
        start_distance: Mean, in metres.
        final_distance: Mean, in metres.
        seconds_per_action: Mean.
        steps_per_action: Mean number of imagined or simulated steps.
    """

    episodes: int
    successes: int
    interval: tuple[float, float]
    start_distance: float
    final_distance: float
    seconds_per_action: float
    steps_per_action: float


@final
@dataclass(frozen=True)
class Benchmark:
    """All episodes that were played."""

    records: tuple[EpisodeRecord, ...]

    def score(self, contestant: Contestant, laboratory: str | None = None) -> Score:
        """Of one contestant, in one laboratory or in all.

        Raises:
            InputError: There is no such episode.
        """
        outcomes = [
            record.outcome
            for record in self.records
            if record.contestant == contestant and laboratory in (None, record.laboratory)
        ]
        if not outcomes:
            raise InputError(f"benchmark: no episode of {contestant} in {laboratory or 'any'}")
        successes = sum(outcome.success for outcome in outcomes)
        return Score(
            episodes=len(outcomes),
            successes=successes,
            interval=wilson_interval(successes, len(outcomes)),
            start_distance=fmean(o.start_distance for o in outcomes),
            final_distance=fmean(o.final_distance for o in outcomes),
            seconds_per_action=fmean(o.seconds_per_action for o in outcomes),
            steps_per_action=fmean(o.steps_per_action for o in outcomes),
        )

    def rows(self) -> list[dict[str, str | float]]:
        """For a table: a row per laboratory and contestant, and per contestant in all of them."""
        laboratories: list[str | None] = [*dict.fromkeys(r.laboratory for r in self.records)]
        if len(laboratories) > 1:
            laboratories.append(None)
        contestants: list[Contestant] = [*dict.fromkeys(r.contestant for r in self.records)]
        return [
            {"laboratory": laboratory or "all", "planner": contestant}
            | _row(self.score(contestant, laboratory))
            for laboratory in laboratories
            for contestant in contestants
        ]


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Limits of a success rate at 95 % confidence (Wilson, 1927), which hold for few trials too."""
    z = 1.959964
    rate, shrink = successes / trials, 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / shrink
    spread = z / shrink * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return max(centre - spread, 0.0), min(centre + spread, 1.0)


def _row(score: Score) -> dict[str, str | float]:
    low, high = score.interval
    return {
        "success": f"{score.successes}/{score.episodes}",
        "95 % interval": f"{low:.0%} to {high:.0%}",
        "distance at start (cm)": 100 * score.start_distance,
        "at end (cm)": 100 * score.final_distance,
        "s/action": score.seconds_per_action,
        "imagined steps/action": score.steps_per_action,
    }
