"""Planning with discrete actions by the cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from worldmodel.errors import check_whole
from worldmodel.planners.noise import Categorical
from worldmodel.planners.sampling import PopulationConfig, PopulationPlanner, lowest
from worldmodel.planners.search import Search
from worldmodel.planners.space import Choices


@final
@dataclass(frozen=True)
class CategoricalCEMConfig(PopulationConfig):
    """Options of `CategoricalCEM`; see `PopulationConfig` for the others.

    Attributes:
        elites: Best sequences that the next probabilities are the frequencies of.
        smoothing: Share of the old probabilities in the new ones, in [0, 1).
        exploration: Share of every draw in which all choices are equally likely, in (0, 1).
        trust: Probability of the previous plan's choices at the start, in [0, 1).

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    elites: int = 10
    smoothing: float = 0.1
    exploration: float = 0.02
    trust: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(1, self, "elites")
        self._check(
            "elites", self.elites <= self.candidates, f"1 to all {self.candidates} candidates"
        )
        self._check("kept", self.kept <= self.elites, f"1 to {self.elites} elites")
        self._check("smoothing", 0 <= self.smoothing < 1, "at least 0 and below 1")
        self._check("exploration", 0 < self.exploration < 1, "above 0 and below 1")
        self._check("trust", 0 <= self.trust < 1, "at least 0 and below 1")

    def build(self) -> CategoricalCEM:
        """See `PlannerConfig.build`."""
        return CategoricalCEM(self)


@final
class CategoricalCEM(PopulationPlanner[CategoricalCEMConfig, Categorical]):
    """The cross-entropy method for choices (Rubinstein, 1999): frequencies among the elites.

    Where there are no more sequences than would be drawn, all are tried instead, each once.
    """

    spaces = (Choices,)

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """See `Planner.search`."""
        assert isinstance(search.space, Choices)
        steps = -(-self.horizon // self.config.chunk)
        drawn = self.config.candidates * self.config.iterations
        if len(search.space.actions) ** steps >= drawn:
            return super().search(search)
        start = search.space.rest(search.shape[:2]) if search.start is None else search.start
        every = self.actions(_every(search.space, steps))
        candidates = torch.cat([start[:, None], every.expand(len(start), *every.shape)], dim=1)
        for part in candidates.split(self.config.candidates, dim=1):
            search.costs(part)
        return search.best, search.best[:, None]

    def start(self, search: Search) -> Categorical:
        """All choices equally likely, the previous plan's more so."""
        assert isinstance(search.space, Choices)
        choices = search.space
        shape = self.decisions(choices.rest(search.shape[:2])).shape[:2]
        even = choices.actions.new_full((*shape, len(choices.actions)), 1 / len(choices.actions))
        if search.start is not None:
            before = self._frequency(choices, self.decisions(search.start)[:, None])
            even = torch.lerp(even, before, self.config.trust)
        return Categorical(even, choices)

    def refit(self, drawn: Categorical, sequences: Tensor, costs: Tensor) -> Categorical:
        """Moved towards the frequencies of the elites' choices."""
        elites, _ = lowest(sequences, costs, self.config.elites)
        found = self._frequency(drawn.choices, elites)
        probability = torch.lerp(found, drawn.probability, self.config.smoothing)
        even = 1 / probability.shape[-1]
        explored = (1 - self.config.exploration) * probability + self.config.exploration * even
        return Categorical(explored, drawn.choices)

    def _frequency(self, choices: Choices, sequences: Tensor) -> Tensor:
        """How often each choice is taken at each step: (E, T', K) of sequences (E, N, T', A)."""
        taken = one_hot(choices.index(sequences), len(choices.actions))
        return taken.to(choices.actions).mean(1)


def _every(choices: Choices, steps: int) -> Tensor:
    """All sequences of so many choices. Shape (N, T', A)."""
    rows = torch.arange(len(choices.actions), device=choices.actions.device)
    return choices.actions[torch.cartesian_prod(*[rows] * steps).reshape(-1, steps)]
