"""Planning by the improved cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from worldmodel.planners.cem import CEMConfig, CEMPlanner
from worldmodel.planners.search import Search


@final
@dataclass(frozen=True)
class ICEMConfig(CEMConfig):
    """Options of `ICEM`; see `CEMConfig` for the others.

    Attributes:
        decay: Factor by which the population shrinks in every iteration, at least 1; it stays at
            least twice the elites.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    candidates: int = 32
    elites: int = 5
    color: float = 2.0
    decay: float = 1.25

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("decay", self.decay >= 1, "at least 1")

    def build(self) -> ICEM:
        """See `PlannerConfig.build`."""
        return ICEM(self)


@final
class ICEM(CEMPlanner[ICEMConfig]):
    """The improved cross-entropy method (iCEM; Pinneri et al., CoRL 2020).

    Its noise is coloured over time, its population shrinks from iteration to iteration, and the
    best candidates, shifted in time, compete again in the next plan. As in every planner here they
    compete again in the next iteration, and the best candidate ever evaluated is executed.
    """

    def population(self, iteration: int) -> int:
        """See `PopulationPlanner.population`."""
        fewest = min(self.config.candidates, 2 * self.config.elites)
        return max(fewest, round(self.config.candidates / self.config.decay**iteration))

    def carried(self, search: Search) -> Tensor:
        """See `PopulationPlanner.carried`; the first of them is the previous plan itself."""
        room = min(self.config.kept, self.config.candidates - 1)
        return self.decisions(search.others[:, 1 : 1 + room])
