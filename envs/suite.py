"""A family of tasks in one world: the door through which all else meets an environment."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast, final

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator

from worldmodel.envs.goal_env import MEMBERS, GoalEnv
from worldmodel.errors import InputError
from worldmodel.planners.planning import PlanningConfig
from worldmodel.registry import Registry, find_name

Size = int | tuple[int, int]
"""Height and width of pictures in pixels; one number stands for both."""

Policy = Callable[[GoalEnv, np.random.Generator], Iterator[np.ndarray]]
"""How a hand explores: it may arrange the scene before its first action, then yields actions (A,)
as long as it is asked, each for the state that the environment is in then."""


@final
@dataclass(frozen=True)
class TaskSpec:
    """One task of a suite.

    Attributes:
        id: Under which Gymnasium has it; registered with `max_episode_steps`.
        planning: How to plan it, with a balance of success and time: the effort "balanced".
        efforts: How to plan it with another effort, by its name: "fast", "best".
    """

    id: str
    planning: PlanningConfig = field(default_factory=PlanningConfig)
    efforts: Mapping[str, PlanningConfig] = field(default_factory=dict)

    def at(self, effort: str) -> PlanningConfig:
        """How to plan it with some effort.

        Raises:
            InputError: The task has no such effort; lists those that it has.
        """
        known = {"balanced": self.planning, **self.efforts}
        return known[find_name(f"effort for {self.id}", effort, known)]


@final
@dataclass(frozen=True)
class Suite:
    """A family of tasks.

    Each task is registered with Gymnasium; what is registered is a `GoalEnv` that takes `domain`,
    `size` (height and width), `render_mode` and options of its own. In MuJoCo, a suite calls
    `worldmodel.envs.backend.settle_backend` before it imports anything of MuJoCo.

    Attributes:
        name: Of the suite.
        tasks: By name.
        domains: What the tasks can be played in; they look different.
        unit: Of `info["distance"]`.
        policies: How logs are collected, by name.
        collection: Share of each policy in the recordings.
    """

    name: str
    tasks: Mapping[str, TaskSpec]
    domains: tuple[str, ...]
    unit: str
    policies: Mapping[str, Policy] = field(default_factory=dict)
    collection: Mapping[str, float] = field(default_factory=dict)

    def task(self, name: str) -> TaskSpec:
        """The task of that name.

        Raises:
            InputError: There is none; lists those that there are.
        """
        return self.tasks[find_name(f"task of {self.name}", name, self.tasks)]

    def domain(self, name: str) -> str:
        """The domain of that name.

        Raises:
            InputError: There is none; lists those that there are.
        """
        return find_name(f"domain of {self.name}", name, self.domains)

    def steps(self, task: str) -> int:
        """Actions of an episode, as registered with Gymnasium.

        Raises:
            InputError: There is no such task, or it is registered without a length.
        """
        spec = gym.spec(self.task(task).id)
        if spec.max_episode_steps is None:
            raise InputError(f"{spec.id}: expected to be registered with max_episode_steps")
        return spec.max_episode_steps

    def make(
        self, task: str, domain: str | None = None, size: Size = 64, **options: Any
    ) -> GoalEnv:
        """The environment of a task, ready for `reset`.

        Args:
            task: Its name.
            domain: Where; the suite's first if left out.
            size: Of pictures.
            options: Of the task.

        Raises:
            InputError: There is no such task, domain or option, or an option does not fit.
        """
        spec = gym.spec(self.task(task).id)
        domain = self.domains[0] if domain is None else self.domain(domain)
        _check_options(spec, f"{self.name}/{task}", options)
        both = (size, size) if isinstance(size, int) else tuple(size)
        if len(both) != 2 or not all(isinstance(side, int) and side > 0 for side in both):
            raise InputError(f"size: expected a number of pixels, or height and width, got {size}")
        env = gym.make(spec, domain=domain, size=both, render_mode="rgb_array", **options).unwrapped
        if lacking := [name for name in MEMBERS if not hasattr(env, name)]:
            raise InputError(
                f"{spec.id}: expected a GoalEnv, {type(env).__name__} lacks {', '.join(lacking)}"
            )
        return cast("GoalEnv", env)


def _check_options(spec: EnvSpec, task: str, options: Mapping[str, Any]) -> None:
    """Refuse what the registered maker does not take."""
    entry = spec.entry_point
    maker = load_env_creator(entry) if isinstance(entry, str) else entry
    assert callable(maker)
    common = {"domain", "size", "render_mode"}
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(maker).parameters.items()
        if name not in common and parameter.default is not parameter.empty
    }
    for name, value in options.items():
        if name not in defaults:
            find_name(f"option of {task}", name, defaults)
        kind = type(defaults[name])
        if type(value) is not kind and (kind, type(value)) != (float, int):
            raise InputError(f"{task}: {name}: expected {kind.__name__}, got {value!r}")


SUITES: Registry[Suite] = Registry("suite", {"tabletop": "worldmodel.envs.tabletop.suite:SUITE"})
"""All suites by name."""
