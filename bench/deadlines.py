"""By how much planners overrun the time they are given.

Usage: python bench/deadlines.py, on a quiet machine. Objectives sleep for 0.01 to 2 seconds per
population of 80, and planners are given 0.05, 0.2 and 1 second; the worst of five plans counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from worldmodel.planners import PLANNERS
from worldmodel.planners.space import Bounds, Choices
from worldmodel.report.table import Table

POPULATION, PLANS = 80, 5
DEADLINES = (0.05, 0.2, 1.0)
PACES = (0.01, 0.1, 0.5, 2.0)
BOUNDS, CHOICES = Bounds(-torch.ones(2), torch.ones(2)), Choices(torch.eye(3))


def slow(seconds: float) -> Callable[[Tensor], Tensor]:
    def costs(actions: Tensor) -> Tensor:
        time.sleep(seconds * actions.shape[1] / POPULATION)
        return (actions - 0.3).square().sum((2, 3))

    return costs


def measured(name: str, pace: float, deadline: float) -> tuple[float, int]:
    """The worst overrun as a share of the deadline, and the fewest candidates seen."""
    planner = PLANNERS[name]().build()
    space = BOUNDS if isinstance(BOUNDS, planner.spaces) else CHOICES
    overrun, fewest = -1.0, 10**9
    for seed in range(PLANS):
        generator = torch.Generator().manual_seed(seed)
        begun = time.perf_counter()
        plan = planner.plan(slow(pace), space, generator, seconds=deadline)
        overrun = max(overrun, (time.perf_counter() - begun) / deadline - 1)
        fewest = min(fewest, plan.evaluations)
    return overrun, fewest


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name in PLANNERS:
        if name in ("random", "null"):
            continue
        row: dict[str, str] = {"planner": name}
        for deadline in DEADLINES:
            for pace in PACES:
                overrun, seen = measured(name, pace, deadline)
                row[f"{deadline} s at {pace} s"] = f"{overrun:+.0%} ({seen})"
        rows.append(row)
    print(Table.of(rows).markdown())


if __name__ == "__main__":
    main()
