"""What the episodes of a planning benchmark amount to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import final

from worldmodel.envs.play import Outcome
from worldmodel.errors import InputError


@final
@dataclass(frozen=True)
class EpisodeRecord:
    """One contestant's episode.

    Attributes:
        domain: Where it was played.
        episode: Its number there, from 0.
        contestant: Who played.
        seed: Of start and goal.
        skipped: Draws before this seed whose start already met the goal.
        outcome: How it went.
    """

    domain: str
    episode: int
    contestant: str
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
        start_distance: Mean, in the suite's unit.
        final_distance: Mean, in the suite's unit.
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
    """All episodes that were played.

    Attributes:
        records: In the order in which they were played.
        unit: Of the distances.
    """

    records: tuple[EpisodeRecord, ...]
    unit: str

    def score(self, contestant: str, domain: str | None = None) -> Score:
        """Of one contestant, in one domain or in all.

        Raises:
            InputError: There is no such episode.
        """
        outcomes = [
            record.outcome
            for record in self.records
            if record.contestant == contestant and domain in (None, record.domain)
        ]
        if not outcomes:
            raise InputError(f"benchmark: no episode of {contestant} in {domain or 'any'}")
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
        """For a table: a row per domain and contestant, and per contestant in all of them."""
        domains: list[str | None] = [*dict.fromkeys(r.domain for r in self.records)]
        if len(domains) > 1:
            domains.append(None)
        contestants: list[str] = [*dict.fromkeys(r.contestant for r in self.records)]
        return [
            {"domain": domain or "all", "contestant": contestant}
            | _row(self.score(contestant, domain), self.unit)
            for domain in domains
            for contestant in contestants
        ]


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Limits of a success rate at 95 % confidence (Wilson, 1927), which hold for few trials too."""
    z = 1.959964
    rate, shrink = successes / trials, 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / shrink
    spread = z / shrink * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return max(centre - spread, 0.0), min(centre + spread, 1.0)


def _row(score: Score, unit: str) -> dict[str, str | float]:
    low, high = score.interval
    return {
        "success": f"{score.successes}/{score.episodes}",
        "95 % interval": f"{low:.0%} to {high:.0%}",
        f"distance at start ({unit})": score.start_distance,
        f"at end ({unit})": score.final_distance,
        "s/action": score.seconds_per_action,
        "imagined steps/action": score.steps_per_action,
    }
