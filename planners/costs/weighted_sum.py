"""Several costs at once, each by its name, with a weight and options."""

from __future__ import annotations

import math
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, final

from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners import COSTS
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.registry import find_name

WEIGHT = "weight"
"""Beside the options of a cost: its weight."""


class Part(NamedTuple):
    """A cost, not built yet, and its weight of at least 0."""

    weight: float
    config: CostConfig


@final
@dataclass(frozen=True)
class WeightedSumConfig(CostConfig):
    """Options of `WeightedSum`.

    Attributes:
        of: By name of a cost its weight, or its options and `weight`, which is 1 if left out:
            `{goal-image: 0.05, designated-pixel: {weight: 1, pixel: [3, 4], goal: [5, 6]}}`.

    Raises:
        InputError: There is no cost, a name or an option is unknown, or a weight or a value is
            wrong.
    """

    of: dict[str, Any]

    def __post_init__(self) -> None:
        if not parts(self.of):
            raise InputError(f"weighted-sum: expected costs by name, got {self.of}")

    def build(self, scene: Scene) -> WeightedSum:
        """See `CostConfig.build`."""
        return weighted(self.of, scene)


@final
class WeightedSum(Cost):
    """The sum of several costs, each times its weight; one whose weight is 0 looks at nothing.

    Args:
        terms: Weight of at least 0 and cost of each.

    Raises:
        InputError: A weight is negative or NaN.
    """

    def __init__(self, terms: Sequence[tuple[float, Cost]]) -> None:
        self._terms = [weight * cost for weight, cost in terms]

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`; 0 without terms."""
        total = imagined.action.new_zeros(len(imagined.action))
        for term in self._terms:
            total = total + term(imagined)
        return total

    def observe(self, action: Tensor | None, frame: Tensor) -> None:
        """See `Cost.observe`."""
        for term in self._terms:
            term.observe(action, frame)


def weighted(costs: Mapping[str, Any], scene: Scene) -> WeightedSum:
    """The sum of costs that are given by name; see `WeightedSumConfig`. None make a sum of 0.

    Raises:
        InputError: See `parts`; or one does not fit the scene.
    """
    return WeightedSum([(part.weight, part.config.build(scene)) for part in parts(costs)])


def parts(costs: Mapping[str, Any]) -> list[Part]:
    """Costs that are given by name, each with its weight, or with options and `weight`.

    Raises:
        InputError: A name or an option is unknown (the nearest known one is named), a value is of
            the wrong type or out of range, or a weight is negative or not finite.
    """
    if not isinstance(costs, Mapping):
        raise InputError(f"costs: expected a weight or options by name of a cost, got {costs!r}")
    return [_part(str(name), given) for name, given in costs.items()]


def configured(name: str, options: Mapping[str, Any]) -> CostConfig:
    """Options of a cost, of its name and of values as YAML holds them.

    Raises:
        InputError: The name or an option is unknown, missing, of the wrong type or out of range.
    """
    kind, name = COSTS[name], COSTS.name(name)
    known = [field.name for field in fields(kind)]  # pyright: ignore[reportArgumentType]
    named = {find_name(f"{name}: option", key, known): value for key, value in options.items()}
    return kind(**_of_the_right_types(kind, name, named))


def _part(name: str, given: Any) -> Part:
    options = dict(given) if isinstance(given, Mapping) else {WEIGHT: given}
    weight = options.pop(WEIGHT, 1.0)
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    if not number or not 0 <= weight < math.inf:
        raise InputError(
            f"{name}: expected a finite weight of at least 0, or options with one as `{WEIGHT}`, "
            f"got {weight!r}"
        )
    return Part(float(weight), configured(name, options))


def _of_the_right_types(kind: type, name: str, options: dict[str, Any]) -> dict[str, Any]:
    from jsonargparse import ArgumentParser  # noqa: PLC0415  slow to import

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind)
    try:
        values = parser.instantiate(parser.parse_object(options, defaults=False))
    except ArgumentError as error:
        raise InputError(f"{name}: {' '.join(str(error).split())}") from error
    return {key: values[key] for key in options}
