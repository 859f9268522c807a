"""`worldmodel serve`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch

from worldmodel.checkpoint import Checkpoint, load
from worldmodel.commands.options import parse, peek
from worldmodel.envs.suite import SUITES
from worldmodel.errors import InputError, check_at_least
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.space import ActionSpace, Bounds, action_space_of
from worldmodel.plugins.server import ServerConfig, Service, create_app, serve
from worldmodel.settings import plain


@final
@dataclass(frozen=True)
class ServeConfig(ServerConfig):
    """Plan for robots that ask over HTTP; see `ServerConfig` for where and for how many.

    The limits of actions come from a task or from `low` and `high`.

    Attributes:
        model: Folder of a training run or a checkpoint, or name of one that ships with the package.
        suite: Family of the task whose actions are planned.
        task: Its name.
        low: Smallest values of an action, in the units of the model.
        high: Largest values.
        effort: How much is spent on planning a task: "fast", "balanced" or "best", as it has them.
        planning: How to plan; what the task has for this effort if left out.
        threads: CPU threads; 0 leaves torch's choice.

    Raises:
        InputError: An option is out of range, or the limits of actions are missing or doubtful.
    """

    model: str = ""
    suite: str = "tabletop"
    task: str | None = None
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    effort: str = "balanced"
    planning: PlanningConfig | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(0, self, "threads")
        if not self.model:
            raise InputError("model: expected a training run, a checkpoint or a name, got none")
        limits = len(self.low), len(self.high)
        if (self.task is None) == (limits == (0, 0)):
            raise InputError(
                "actions: expected either a task, or low and high with a number for each "
                f"dimension, got task {self.task} and {limits[0]} and {limits[1]} numbers"
            )


def run(arguments: Sequence[str]) -> None:
    """Serve until Ctrl-C.

    Raises:
        InputError: The model is missing or does not fit the actions, or the address is taken.
    """
    config = read(arguments)
    if config.threads:
        torch.set_num_threads(config.threads)
    checkpoint = load(config.model)
    planning = config.planning or PlanningConfig()
    service = Service(config.model, checkpoint.model, _actions(config, checkpoint), planning)
    serve(create_app(service, config), config)


def read(arguments: Sequence[str]) -> ServeConfig:
    """Options of a server; what is not given is what is best for the task, if there is one.

    Raises:
        InputError: See `worldmodel.commands.options.parse`.
    """
    leading = ["model"]
    asked = peek(ServeConfig, "serve", arguments, leading, "suite", "task", "effort")
    known: dict[str, Any] = {}
    if asked.get("task") is not None:
        suite = SUITES[asked.get("suite", ServeConfig.suite)]
        effort = asked.get("effort", ServeConfig.effort)
        known["planning"] = plain(suite.task(asked["task"]).at(effort))
    return parse(ServeConfig, "serve", arguments, leading, known)


def _actions(config: ServeConfig, checkpoint: Checkpoint) -> ActionSpace:
    """What actions there are, by the task or by their limits."""
    if config.task is None:
        return Bounds(torch.tensor(config.low), torch.tensor(config.high))
    env = SUITES[config.suite].make(config.task)
    try:
        checkpoint.check_actions(env.action_names)
        return action_space_of(env.action_space)
    finally:
        env.close()
