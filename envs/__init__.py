"""MuJoCo manipulation tasks; importing this package registers ours with Gymnasium."""

from __future__ import annotations

from typing import Any

from gymnasium.envs.registration import register

from worldmodel.envs.goal_env import GoalEnv
from worldmodel.envs.suite import SUITES, Size
from worldmodel.errors import InputError

register(
    "worldmodel/TabletopReach-v0",
    entry_point="worldmodel.envs.tabletop.env:reach",
    max_episode_steps=15,
)
register(
    "worldmodel/TabletopPush-v0",
    entry_point="worldmodel.envs.tabletop.env:push",
    max_episode_steps=28,
)


def make(name: str, domain: str | None = None, size: Size = 64, **options: Any) -> GoalEnv:
    """A task's environment, ready for `reset`.

    Args:
        name: Suite and task, "tabletop/reach".
        domain: One of the suite's domains; its first if left out.
        size: Height and width of pictures in pixels, or the two.
        options: Of the task.

    Raises:
        InputError: There is no such suite, task, domain or option; lists those that there are.
    """
    suite, slash, task = name.partition("/")
    if not slash:
        raise InputError(
            f"make: expected SUITE/TASK such as 'tabletop/reach', got {name!r}; "
            f"suites: {', '.join(SUITES)}"
        )
    return SUITES[suite].make(task, domain, size, **options)
