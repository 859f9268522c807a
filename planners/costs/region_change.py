"""How much a part of the picture has changed since the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import difference
from worldmodel.planners.costs.region import Region, check_region, pixels_of


@final
@dataclass(frozen=True)
class RegionChangeConfig(CostConfig):
    """Options of `RegionChange`.

    Attributes:
        region: Top, left, bottom and right, as shares of the picture in [0, 1].

    Raises:
        InputError: It is no rectangle within the picture.
    """

    region: Region

    def __post_init__(self) -> None:
        check_region(self.region, "region")

    def build(self, scene: Scene) -> RegionChange:
        """See `CostConfig.build`."""
        return RegionChange(scene.start, self.region)


@final
class RegionChange(Cost):
    """Mean absolute difference to the start within a rectangle: a limit, "nothing moves in there".

    Args:
        start: What was seen at the start, values in [0, 1]. Shape (E, C, H, W).
        region: Top, left, bottom and right, as shares of the picture in [0, 1].

    Raises:
        InputError: The rectangle covers no pixel of the picture.
    """

    def __init__(self, start: Tensor, region: Region) -> None:
        check_region(region, "region")
        self._start = start
        height, width = start.shape[-2:]
        self._rows, self._columns = pixels_of(region, height, width, "region")

    def __call__(self, imagined: Imagined) -> Tensor:
        """Between 0 and 1; see `Cost.__call__`."""
        change = difference(imagined.frame, self._start, "frame", "start")
        return change[..., self._rows, self._columns].abs().mean((1, 2, 3))
