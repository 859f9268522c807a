"""A planner: the search jumps to the best candidate and narrows."""

from dataclasses import dataclass, replace
from typing import final

from torch import Tensor

from worldmodel.planners.noise import TruncatedNormal
from worldmodel.planners.sampling import SamplingConfig, SamplingPlanner, lowest


@final
@dataclass(frozen=True)
class HillClimbingConfig(SamplingConfig):
    """Options of `HillClimbing`.

    Attributes:
        shrink: Factor of the standard deviation after each iteration.
    """

    shrink: float = 0.5

    def build(self) -> "HillClimbing":
        """The planner."""
        return HillClimbing(self)


@final
class HillClimbing(SamplingPlanner[HillClimbingConfig]):
    """Draws around the best candidate so far."""

    def refit(self, drawn: TruncatedNormal, sequences: Tensor, costs: Tensor) -> TruncatedNormal:
        """Around the best, narrower."""
        best, _ = lowest(sequences, costs, 1)
        return replace(drawn, mean=best[:, 0], std=self.config.shrink * drawn.std)
