"""An agent plays one episode of a task."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from worldmodel.envs.goal_env import GoalEnv
from worldmodel.frames import as_frames
from worldmodel.planners.agent import Agent
from worldmodel.report.film import beside
from worldmodel.report.picture import to_uint8


@final
@dataclass(frozen=True)
class Outcome:
    """How an episode went, judged on its last state.

    Attributes:
        start_distance: To the goal before the first action, in the suite's unit.
        final_distance: To the goal after the last action, in the suite's unit.
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
        imagined: The end of the plan that was followed at each step, or what was seen then if
            there was no plan. Shape (T, H, W, 3).
        goal: Shape (H, W, 3).
    """

    real: np.ndarray
    imagined: np.ndarray
    goal: np.ndarray

    def side_by_side(self) -> np.ndarray:
        """One labelled video for `write_film(..., scale=1)`. Shape (T+1, H', W', 3), uint8."""
        labels = "real", "end of plan", "goal"
        return beside(self.real, self.imagined, self.goal[None], labels=labels)


@torch.no_grad()
def play(
    env: GoalEnv,
    agent: Agent,
    generator: torch.Generator,
    *,
    seed: int,
    steps: int,
) -> tuple[Outcome, Film]:
    """Play an episode to its full length: stopping at success would let the truth leak in.

    Args:
        env: Where to act.
        agent: Who acts.
        generator: Source of the agent's randomness.
        seed: Of start and goal.
        steps: Actions to take.
    """
    picture, start = env.reset(seed=seed)
    agent.reset(as_frames(env.goal_image), generator)
    real, imagined, info, seconds = [picture], [], start, 0.0
    for _ in range(steps):
        begin = time.perf_counter()
        action = agent.act(as_frames(picture))
        seconds += time.perf_counter() - begin
        imagined.append(_end_of_plan(agent, picture))
        picture, _, _, _, info = env.step(action[0].cpu().numpy())
        real.append(picture)
    outcome = Outcome(
        start_distance=float(start["distance"]),
        final_distance=float(info["distance"]),
        success=bool(info["success"]),
        seconds_per_action=seconds / steps,
        steps_per_action=agent.imagined_steps / steps,
    )
    return outcome, Film(np.stack(real), np.stack(imagined), env.goal_image)


def _end_of_plan(agent: Agent, seen: np.ndarray) -> np.ndarray:
    """The last frame that is foreseen, (H, W, 3), or what is seen if nothing is."""
    last = deque(agent.foreseen(), maxlen=1)
    return to_uint8(last[0].frame[0]) if last else seen
