"""Options whose value is chosen by name: an architecture, a curriculum, a planner and so on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from worldmodel.data.generators import GENERATORS, Generator
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig
from worldmodel.models.architectures import ARCHITECTURES
from worldmodel.models.published.sizes import PUBLISHED
from worldmodel.models.stack import StackConfig
from worldmodel.planners import COSTS, PLANNERS
from worldmodel.planners.cost import CostConfig
from worldmodel.planners.planner import PlannerConfig
from worldmodel.registry import Registry, find_name
from worldmodel.settings import described
from worldmodel.training.curriculum import CURRICULA, Curriculum

_log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Choice:
    """What an option can be.

    Attributes:
        named: By name, a class, which stands for its defaults, or options of such a class.
    """

    named: Mapping[str, Any]

    @property
    def kinds(self) -> list[type]:
        """Every class that can be chosen, once."""
        return list(dict.fromkeys(_kind(thing) for thing in self.named.values()))

    def find(self, name: str, option: str) -> dict[str, Any]:
        """What a name stands for, as jsonargparse takes it: the class and its arguments.

        Args:
            name: In any case and punctuation; also the name of a class, for its defaults.
            option: Dotted name of the option, for the message.

        Raises:
            InputError: There is none of that name; names the nearest one and all of them.
        """
        kinds = {known: kind for kind in self.kinds for known in (kind.__name__, class_path(kind))}
        thing = kinds.get(name) or self.named[find_name(option, name, self.named)]
        if isinstance(thing, type):
            return {"class_path": class_path(thing)}
        return {"class_path": class_path(type(thing)), "init_args": described(thing)}


def _kind(thing: Any) -> type:
    return thing if isinstance(thing, type) else type(thing)


def class_path(kind: type) -> str:
    """Where a class is, as jsonargparse names it."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _usable(registry: Registry[Any]) -> dict[str, Any]:
    """All that can be imported; what another package broke is told, and leaves the rest alone."""
    usable = {}
    for name in registry:
        try:
            usable[name] = registry[name]
        except InputError as error:
            _log.warning("%s", error)
    return usable


_MODELS = {**_usable(ARCHITECTURES), **PUBLISHED}

CHOICES: Mapping[type, Choice] = {
    ModelConfig: Choice(_MODELS),
    StackConfig: Choice(
        {name: thing for name, thing in _MODELS.items() if issubclass(_kind(thing), StackConfig)}
    ),
    Curriculum: Choice(_usable(CURRICULA)),
    Generator: Choice(_usable(GENERATORS)),
    PlannerConfig: Choice(_usable(PLANNERS)),
    CostConfig: Choice(_usable(COSTS)),
}
"""What the options of these types can be."""
