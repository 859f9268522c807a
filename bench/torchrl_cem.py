"""Time and memory of a plan: our CEM, our CEM in TorchRL's clothes, and TorchRL's own CEM.

Usage: python bench/torchrl_cem.py. All imagine with the shipped predrnn-v2-tabletop, 100 candidates
x 10 steps x 3 iterations, every step's reward counting, on one thread. Each runs in a process of
its own; memory is what its peak rises by while it plans. CPU time is compared, so that other
processes disturb little; peaks are of the first plan and the ones after it together.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torchrl.modules import CEMPlanner

import worldmodel as wm
from worldmodel.model import WorldModel
from worldmodel.planners.cost import EVERY_STEP
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.plugins.torchrl import MPCPlanner, WorldModelEnv
from worldmodel.report.table import Table

CANDIDATES, HORIZON, ITERATIONS, ELITES = 100, 10, 3, 10
PLANS = 2
MIB = 1024.0  # ru_maxrss counts KiB on Linux


def ours(model: WorldModel, bounds: wm.Bounds, seen: Tensor, goal: Tensor) -> Callable[[], object]:
    """The agent, from a first frame."""
    foresight = wm.ModelForesight(model)
    foresight.reset(seen)
    objective = wm.objective(foresight, wm.GoalImage(goal), EVERY_STEP)
    planner, generator = _cem(), torch.Generator().manual_seed(0)
    return lambda: planner.plan(objective, bounds, generator)


def ours_in_torchrl(
    model: WorldModel, bounds: wm.Bounds, seen: Tensor, goal: Tensor
) -> Callable[[], object]:
    """Our planner behind `MPCPlanner`, in the model's TorchRL environment."""
    env = WorldModelEnv(model, bounds, GoalImageConfig(), frame=seen, goal=goal)
    planner, now = MPCPlanner(env, _cem()), env.reset()
    return lambda: planner(now)


def theirs(
    model: WorldModel, bounds: wm.Bounds, seen: Tensor, goal: Tensor
) -> Callable[[], object]:
    """TorchRL's CEMPlanner in the same environment."""
    env = WorldModelEnv(model, bounds, GoalImageConfig(), frame=seen, goal=goal)
    planner, now = CEMPlanner(env, HORIZON, ITERATIONS, CANDIDATES, ELITES), env.reset()
    return lambda: planner(now)


PLANNERS = {
    "ours": ours,
    "ours as `MPCPlanner`": ours_in_torchrl,
    "TorchRL's `CEMPlanner`": theirs,
}


def _cem() -> wm.CEM:
    return wm.CEM(
        wm.CEMConfig(horizon=HORIZON, candidates=CANDIDATES, iterations=ITERATIONS, elites=ELITES)
    )


def measured(name: str) -> dict[str, float]:
    """Seconds per plan, of the clock and of the CPU, and MiB."""
    torch.set_num_threads(1)
    model = wm.load("predrnn-v2-tabletop").model
    seen, goal = torch.rand(2, 1, *model.frame_shape, generator=torch.Generator().manual_seed(0))
    bounds = wm.Bounds(-torch.ones(model.action_dim), torch.ones(model.action_dim))
    with torch.no_grad():
        plan = PLANNERS[name](model, bounds, seen, goal)
        before = _peak()
        clocks, cpus = [], []
        for _ in range(PLANS):
            clock, cpu = time.perf_counter(), time.process_time()
            plan()
            clocks.append(time.perf_counter() - clock)
            cpus.append(time.process_time() - cpu)
    return {"clock": min(clocks), "cpu": min(cpus), "mib": _peak() - before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PLANNERS, help="measure one, and print JSON")
    if only := parser.parse_args().only:
        print(json.dumps(measured(only)))
        return
    results = {}
    for name in PLANNERS:
        done = subprocess.run(
            [sys.executable, __file__, "--only", name], capture_output=True, text=True, check=True
        )
        results[name] = json.loads(done.stdout.splitlines()[-1])
    first = results["ours"]
    rows = [
        {
            "planner": name,
            "s of the clock": f"{result['clock']:.2f}",
            "s of the CPU": f"{result['cpu']:.2f} ({result['cpu'] / first['cpu']:.2f}x)",
            "MiB more": f"{result['mib']:.0f} ({result['mib'] / first['mib']:.2f}x)",
        }
        for name, result in results.items()
    ]
    print(Table.of(rows).markdown())


if __name__ == "__main__":
    main()
