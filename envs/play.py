"""An agent plays one episode of a task."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from worldmodel.envs.oracle import as_frame
from worldmodel.envs.tasks import TabletopTask
from worldmodel.planners.agent import VisualMPC
from worldmodel.planners.costs import Cost
from worldmodel.planners.planner import Plan
from worldmodel.report.film import beside
from worldmodel.report.picture import to_uint8


@final
@dataclass(frozen=True)
class Outcome:
    """How an episode went, judged on its last state.

    Attributes:
        start_distance: To the goal before the first action, in metres.
        final_distance: To the goal after the last action, in metres.
        success: Whether the task holds at the end.
        seconds_per_action: Wall-clock time that the agent took, on average.
        steps_per_action: Steps that the agent imagined or simulated, on average.
    """

    start_distance: float
    final_distance: float
    success: bool
    seconds_per_action: float
    steps_per_action: float


@final
@dataclass(frozen=True)
class Film:
    """What an episode looked like; RGB pixels, uint8.

    Attributes:
        real: From the first to the last frame. Shape (T+1, H, W, 3).
        imagined: The end of the plan that was followed at each step. Shape (T, H, W, 3).
        goal: Shape (H, W, 3).
    """

    real: np.ndarray
    imagined: np.ndarray
    goal: np.ndarray

    def side_by_side(self) -> np.ndarray:
        """One labelled video for `write_film(..., scale=1)`. Shape (T+1, H', W', 3), uint8."""
        labels = "real", "end of plan", "goal"
        return beside(self.real, self.imagined, self.goal[None], labels=labels)


def play(
    task: TabletopTask,
    agent: VisualMPC,
    cost: Callable[[Tensor], Cost],
    generator: torch.Generator,
    *,
    seed: int,
    steps: int,
) -> tuple[Outcome, Film]:
    """Play an episode to its full length: stopping at success would let the truth leak in.

    Args:
        task: Where to act.
        agent: Who acts.
        cost: From the goal image, values in [0, 1], shape (1, C, H, W), to what is minimised.
        generator: Source of the planner's randomness.
        seed: Of start and goal.
        steps: Actions to take.
    """
    picture, start = task.reset(seed=seed)
    agent.reset(cost(as_frame(task.goal_image)[None]), generator)
    real, imagined, info = [picture], [], start
    seconds, plans = 0.0, list[Plan]()
    for _ in range(steps):
        begin = time.perf_counter()
        action = agent.act(as_frame(picture)[None])
        seconds += time.perf_counter() - begin
        if not plans or agent.plan is not plans[-1]:
            plans.append(agent.plan)
        imagined.append(to_uint8(agent.foreseen()[0, -1]))
        picture, _, _, _, info = task.step(action[0].numpy())
        real.append(picture)
    imagined_steps = sum(plan.evaluations * plan.actions.shape[1] for plan in plans)
    outcome = Outcome(
        start_distance=start["distance"],
        final_distance=info["distance"],
        success=bool(info["success"]),
        seconds_per_action=seconds / steps,
        steps_per_action=imagined_steps / steps,
    )
    return outcome, Film(np.stack(real), np.stack(imagined), task.goal_image)
