"""Planning by the cross-entropy method, refined by gradient descent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from torch import Tensor

from worldmodel.errors import check_whole
from worldmodel.planners.cem import CEMConfig, CEMPlanner
from worldmodel.planners.chunks import decisions
from worldmodel.planners.gradient import descend, warm_up
from worldmodel.planners.search import Search


@final
@dataclass(frozen=True)
class CEMGradientConfig(CEMConfig):
    """Options of `CEMGradient`; see `CEMConfig` for the others.

    Attributes:
        steps: Steps of descent from the `kept` best candidates.
        learning_rate: Of Adam, as a share of half the range.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    steps: int = 5
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(1, self, "steps")
        self._check("learning_rate", 0 < self.learning_rate < math.inf, "above 0 and finite")

    def build(self) -> CEMGradient:
        """See `PlannerConfig.build`."""
        return CEMGradient(self)


@final
class CEMGradient(CEMPlanner[CEMGradientConfig]):
    """CEM finds the valley, Adam its floor (Bharadhwaj et al., L4DC 2020)."""

    needs_gradients = True

    def __init__(self, config: CEMGradientConfig) -> None:
        super().__init__(config)
        warm_up()

    def search(self, search: Search) -> tuple[Tensor, Tensor]:
        """See `Planner.search`."""
        config = self.config
        best, _ = self.explore(search)
        if not search.over:
            start = decisions(best, config.chunk)
            descend(search, start, config.steps, config.learning_rate, config.chunk)
        return search.best, best
