"""What planning costs beside the model: time outside it, and memory.

`python bench/planning_speed.py HORIZON AT_ONCE` prints the MiB that one plan adds to the process,
as Linux counts them.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from measuring import Measurement

from worldmodel.checkpoint import load
from worldmodel.envs.tabletop.suite import SUITE
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.foresight import ModelForesight
from worldmodel.planners.icem import ICEMConfig
from worldmodel.planners.objective import objective
from worldmodel.planners.planner import PlannerConfig
from worldmodel.planners.space import Bounds

MODEL = "predrnn-v2-tabletop"
PLANNERS: dict[str, PlannerConfig] = {
    "cem": SUITE.task("reach").planning.planner,
    "icem": ICEMConfig(horizon=10, chunk=2, candidates=32, iterations=3, elites=5, initial_std=0.8),
}
"""With the tabletop's budgets."""

CANDIDATES, HORIZONS, AT_ONCE = 40, (4, 8, 16), (10, 20, 40)


def overhead(quick: bool) -> list[Measurement]:
    """Share of an agent's time that its model takes."""
    found = []
    for name, planner in PLANNERS.items():
        model = load(MODEL).model
        planning = replace(SUITE.task("reach").planning, planner=planner)
        agent = planning.agent(planning.foresight(model), bounds(model.action_dim))
        seen, goal = torch.rand(2, 1, *model.frame_shape)
        agent.reset(goal)
        for _ in range(1 if quick else 8):
            agent.act(seen)
        latency = agent.latency()
        found.append(Measurement(name, "actions per second", latency.hz))
        found.append(Measurement(name, "inside the model", 1 - latency.outside, ratio=True))
    return found


def memory(quick: bool) -> list[Measurement]:
    """MiB of a plan by horizon and by candidates at once; a longer one should not take more."""
    horizons, at_once = (HORIZONS[::2], ()) if quick else (HORIZONS, AT_ONCE)
    by_horizon = {h: added_memory(h, CANDIDATES // 2) for h in horizons}
    by_count = {n: added_memory(HORIZONS[1], n) for n in at_once}
    flat = by_horizon[min(by_horizon)] / by_horizon[max(by_horizon)]
    return [
        *(Measurement(f"horizon {h}", "MiB of a plan", mib) for h, mib in by_horizon.items()),
        Measurement("shortest over longest", "ratio", flat, ratio=True),
        *(Measurement(f"{n} at once", "MiB of a plan", mib) for n, mib in by_count.items()),
    ]


def added_memory(horizon: int, at_once: int) -> float:
    """MiB by which the peak of a process of its own rises while it plans."""
    command = [sys.executable, __file__, str(horizon), str(at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def bounds(width: int) -> Bounds:
    """-1 to 1."""
    return Bounds(-torch.ones(width), torch.ones(width))


def main() -> None:
    """One plan."""
    horizon, at_once = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    model = load(MODEL).model
    seen, goal = torch.rand(2, 1, *model.frame_shape)
    foresight = ModelForesight(model)
    foresight.reset(seen)
    costs = objective(foresight, GoalImage(goal), at_once=at_once)
    planner = CEMConfig(horizon=horizon, candidates=CANDIDATES, iterations=1).build()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = mebibytes("VmRSS")
    planner.plan(costs, bounds(model.action_dim), torch.Generator().manual_seed(0))
    print(mebibytes("VmHWM") - before)


def mebibytes(name: str) -> float:
    """This process's memory in RAM: "VmRSS" now, "VmHWM" at its peak.

    `resource.getrusage` would begin with the peak of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    main()
