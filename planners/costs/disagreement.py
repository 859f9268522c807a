"""How little the members of an ensemble agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Cost, CostConfig, Scene


@final
@dataclass(frozen=True)
class DisagreementConfig(CostConfig):
    """Builds `Disagreement`; it has no options."""

    def build(self, scene: Scene) -> Disagreement:
        """See `CostConfig.build`; it needs an ensemble."""
        if len(scene.models) < 2:
            raise InputError(
                f"cost 'disagreement': expected an ensemble of at least two models, "
                f"got {len(scene.models) or 'a simulator'}"
            )
        return Disagreement()


@final
class Disagreement(Cost):
    """Variance of the frames that an ensemble's members imagine, summed over pixels and channels.

    Where the members were not trained on what happens they differ (Lakshminarayanan et al.,
    NeurIPS 2017), so this keeps plans where the models can be trusted.
    """

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`.

        Raises:
            InputError: What imagines is no ensemble.
        """
        if len(imagined.members) < 2:
            raise InputError(
                "cost 'disagreement': expected what an ensemble of at least two models imagines, "
                f"got {len(imagined.members)} members"
            )
        frames = torch.stack([member.frame for member in imagined.members])
        return frames.var(0, correction=0).sum((1, 2, 3))
