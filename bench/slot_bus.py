"""Does the slot-bus penalty tell where ModeRNN's imagination goes wrong?

`python bench/slot_bus.py LOGS` takes recordings of the tabletop that the model was trained on, such
as `worldmodel collect --config tabletop-logs --recordings 200 --output LOGS` makes. In each episode
of tabletop push some random actions are really taken; then random candidates, in chunks of two as
the planner draws them, are imagined by the model and tried in the simulator. Prints Spearman's
rank correlation between the error of the imagined pictures, summed and squared over pixels and over
the steps, and what could predict it: the slot-bus penalty; how much the actions move; how much the
imagined picture changes; and the disagreement with the other shipped model. Within an episode is
what a planner needs: all candidates start from the same picture. Intervals are 95 %, by resampling
episodes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from worldmodel.checkpoint import load
from worldmodel.envs.goal_env import GoalEnv
from worldmodel.envs.oracle import SimulatorForesight
from worldmodel.envs.suite import SUITES
from worldmodel.frames import as_frames
from worldmodel.imagined import Imagined
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.disagreement import Disagreement
from worldmodel.planners.costs.region_change import RegionChange
from worldmodel.planners.costs.slot_bus import SlotBus
from worldmodel.planners.foresight import EnsembleForesight

HORIZON, CHUNK, HISTORY = 8, 2, 4
LAYERS = 3
"""Of the shipped ModeRNN."""

WHOLE = (0.0, 0.0, 1.0, 1.0)

Episode = dict[str, np.ndarray]
"""Per candidate: the error, and each quantity that may predict it. Shape (N,) each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--clusters", type=int, default=8)
    parser.add_argument("--domain", default="ash")
    given = parser.parse_args()
    models = [load(name).model for name in ("mode-rnn-tabletop", "predrnn-v2-tabletop")]
    penalties = {
        f"slot-bus, layer {layer}": SlotBus.fitted(
            models[0], [str(given.logs)], given.clusters, clips=200, layer=layer
        )
        for layer in range(LAYERS)
    }
    foresight = EnsembleForesight(models)
    with closing(SUITES["tabletop"].make("push", given.domain, 64)) as env:
        episodes = [
            episode(env, foresight, penalties, given.candidates, seed)
            for seed in range(given.episodes)
        ]
    print(table(episodes))


@torch.no_grad()
def episode(
    env: GoalEnv,
    foresight: EnsembleForesight,
    penalties: dict[str, SlotBus],
    candidates: int,
    seed: int,
) -> Episode:
    """Errors and predictors of random candidates after a random history."""
    generator = torch.Generator().manual_seed(seed)
    picture, _ = env.reset(seed=seed)
    foresight.reset(as_frames(picture))
    for action in 2 * torch.rand(HISTORY, 2, generator=generator) - 1:
        picture, *_ = env.step(action.numpy())
        foresight.observe(action[None], as_frames(picture))
    decisions = 2 * torch.rand(1, candidates, HORIZON // CHUNK, 2, generator=generator) - 1
    actions = decisions.repeat_interleave(CHUNK, dim=2)
    predictors: dict[str, Callable[[Imagined], Tensor]] = {
        **penalties,
        "squared actions": ActionPenalty(),
        "imagined change": RegionChange(as_frames(picture), WHOLE),
        "disagreement": Disagreement(),
    }
    totals = {name: torch.zeros(candidates) for name in ("error", *predictors)}
    truth = SimulatorForesight(env).imagine(actions)
    for step, real in zip(foresight.imagine(actions), truth, strict=True):
        ours = step.members[0].frame
        totals["error"] += (ours - real.frame).square().sum((1, 2, 3))
        seen = Imagined(
            step.t,
            step.actions,
            step.members[0].state,
            frame=lambda ours=ours: ours,
            latent=lambda: torch.empty(0),
            members=step.members,
        )
        for name, predictor in predictors.items():
            totals[name] += predictor(seen)
    return {name: value.numpy() for name, value in totals.items()}


def table(episodes: list[Episode]) -> str:
    """One line per predictor, in Markdown."""
    error = np.concatenate([each["error"] for each in episodes])
    lines = [
        f"{len(episodes)} episodes of {len(episodes[0]['error'])} candidates; error per candidate "
        f"{error.mean():.0f} on average, {error.std():.0f} standard deviation",
        "| predictor | within an episode | 95 % | over all |",
        "| --- | --- | --- | --- |",
    ]
    for name in list(episodes[0])[1:]:
        within = np.array([correlation(each[name], each["error"]) for each in episodes])
        low, high = interval(within)
        overall = correlation(np.concatenate([each[name] for each in episodes]), error)
        lines.append(f"| {name} | {within.mean():.2f} | {low:.2f} to {high:.2f} | {overall:.2f} |")
    return "\n".join(lines)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's: that of the ranks."""
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def interval(values: np.ndarray) -> tuple[float, float]:
    """Of the mean, by resampling."""
    random = np.random.default_rng(0)
    means = random.choice(values, (2000, len(values))).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
