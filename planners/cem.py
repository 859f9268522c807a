"""Planning by the cross-entropy method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar, final

from torch import Tensor

from worldmodel.errors import check_whole
from worldmodel.planners.noise import TruncatedNormal
from worldmodel.planners.planner import Planner
from worldmodel.planners.sampling import SamplingConfig, SamplingPlanner, lowest


@dataclass(frozen=True)
class CEMConfig(SamplingConfig):
    """Options of `CEM`; see `SamplingConfig` for the others.

    Attributes:
        elites: Best sequences K that the next mean and standard deviation are fitted to.
        smoothing: Share of the old mean and standard deviation in the new ones, in [0, 1).
        min_std: Smallest standard deviation, as a share of half the range, at least 0.000001.

    Raises:
        InputError: An option is out of range; names it and its value.
    """

    elites: int = 10
    smoothing: float = 0.1
    min_std: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(1, self, "elites")
        self._check("candidates", self.candidates >= 2, "at least 2, for as many elites")
        self._check(
            "elites", 2 <= self.elites <= self.candidates, f"2 to all {self.candidates} candidates"
        )
        self._check("kept", self.kept <= self.elites, f"1 to {self.elites} elites")
        self._check("smoothing", 0 <= self.smoothing < 1, "at least 0 and below 1")
        self._check("min_std", 1e-6 <= self.min_std <= self.initial_std, "0.000001 to initial_std")

    def build(self) -> Planner:
        """See `PlannerConfig.build`."""
        return CEM(self)


CEMOptions = TypeVar("CEMOptions", bound=CEMConfig)


class CEMPlanner(SamplingPlanner[CEMOptions]):
    """What planners that fit a normal distribution to the best candidates share."""

    def refit(self, drawn: TruncatedNormal, sequences: Tensor, costs: Tensor) -> TruncatedNormal:
        """Moved towards the mean and standard deviation of the elites."""
        elites, _ = lowest(sequences, costs, self.config.elites)
        old = self.config.smoothing
        std = old * drawn.std + (1 - old) * elites.std(1, correction=0)
        return replace(
            drawn,
            mean=old * drawn.mean + (1 - old) * elites.mean(1),
            std=std.maximum(self.config.min_std * drawn.bounds.half_range),
        )


@final
class CEM(CEMPlanner[CEMConfig]):
    """The cross-entropy method (Rubinstein, 1999): draws from a normal fitted to its elites."""

    def __init__(self, config: CEMConfig = CEMConfig()) -> None:
        super().__init__(config)
