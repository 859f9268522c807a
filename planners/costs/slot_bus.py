"""How far the slots of ModeRNN are from what they were on recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from worldmodel.errors import InputError, check_whole
from worldmodel.imagined import Imagined
from worldmodel.model import State, WorldModel
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.recorded import listed, recorded_clips
from worldmodel.rollout import imagine, observe

WITH_BUS = ("mode-rnn",)
"""Architectures with a slot bus."""

CONTEXT, LENGTH = 1, 12
"""Frames that are observed of a recorded clip, and its frames; the rest is imagined. A bus takes
some steps to fill: with one frame observed, those of an episode's first plan are among them."""


@final
@dataclass(frozen=True)
class SlotBusConfig(CostConfig):
    """Options of `SlotBus`.

    Attributes:
        recordings: Folder, file or URL of what the model was trained on, as `worldmodel train
            --data.path` takes it; or a list of them.
        clusters: How many the buses are divided into.
        clips: Clips of 12 frames that are imagined for it, spread evenly.
        layer: Whose bus, from 0; the top layer's if None.

    Raises:
        InputError: There are no recordings, or a number is no whole one or too small.
    """

    recordings: str | list[str]
    clusters: int = 8
    clips: int = 200
    layer: int | None = None

    def __post_init__(self) -> None:
        listed(self.recordings)
        check_whole(1, self, "clusters", "clips")
        if self.layer is not None:
            check_whole(0, self, "layer")

    def build(self, scene: Scene) -> SlotBus:
        """See `CostConfig.build`; it needs a model with a slot bus, and is fitted to it once."""
        model = scene.model("slot-bus")
        options = listed(self.recordings), self.clusters, self.clips, self.layer
        known = _FITTED.setdefault(model, {})
        if options not in known:
            known[options] = SlotBus.fitted(model, *options)
        return known[options]


@final
class SlotBus(Cost):
    """Distance of the slot bus to the nearest cluster of those on recordings, in its spreads.

    The bus of ModeRNN (Yao et al., TPAMI 2023) is what its slots add up to, and is said to hold
    which mode of motion the model is in. It is averaged over space and standardised; the clusters
    are those of k-means; a cluster's spread is the root of the mean squared distance of its buses
    to its centre. Far from all clusters the model is in a state that training never led it to.

    Args:
        layer: Whose bus.
        mean: Of each channel. Shape (D,).
        std: Above 0. Shape (D,).
        centres: Standardised. Shape (K, D).
        spread: Of each cluster, above 0. Shape (K,).
    """

    def __init__(
        self, layer: int, mean: Tensor, std: Tensor, centres: Tensor, spread: Tensor
    ) -> None:
        self._name = f"bus{layer}"
        self._mean, self._std, self._centres, self._spread = mean, std, centres, spread

    @classmethod
    def fitted(
        cls,
        model: WorldModel,
        recordings: Sequence[str],
        clusters: int = 8,
        clips: int = 200,
        layer: int | None = None,
    ) -> Self:
        """For a model and what it was trained on; see `SlotBusConfig`.

        Raises:
            InputError: The model has no slot bus or no such layer; the recordings are missing,
                damaged, of other actions, or too few.
        """
        layer = _layer(model, layer)
        buses = _imagined_buses(model.eval(), recordings, clips, layer)
        if len(buses) < clusters:
            raise InputError(
                f"slot-bus: expected recordings with at least {clusters} imagined steps, one per "
                f"cluster, got {len(buses)}"
            )
        std = buses.std(0)
        std = np.where(std > 0, std, 1.0)
        values = [buses.mean(0), std, *_clusters((buses - buses.mean(0)) / std, clusters)]
        return cls(layer, *(torch.from_numpy(value).float() for value in values))

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`; of an ensemble, the first member's.

        Raises:
            InputError: What was imagined has no such bus.
        """
        state = (imagined.members[0] if imagined.members else imagined).state
        recurrent: Any = state["recurrent"] if isinstance(state, State) else {}
        if self._name not in recurrent:
            raise InputError(
                f"cost 'slot-bus': expected a state with {self._name}, got one without"
            )
        bus = recurrent[self._name].float().mean((-2, -1))
        mean, std, centres, spread = (
            known.to(bus.device) for known in (self._mean, self._std, self._centres, self._spread)
        )
        away = ((bus - mean) / std)[:, None] - centres
        distance, nearest = away.square().sum(-1).clamp_min(1e-12).sqrt().min(1)
        return distance / spread[nearest]


_FITTED: WeakKeyDictionary[WorldModel, dict[Any, SlotBus]] = WeakKeyDictionary()
"""By model and options: an episode begins faster when it was fitted before."""


def _layer(model: WorldModel, layer: int | None) -> int:
    """The layer that is meant; the top one if None."""
    names = [name for name in model.initial_state(1).keys() if str(name).startswith("bus")]  # noqa: SIM118
    if not names:
        raise InputError(
            "cost 'slot-bus': expected a model with a slot bus, of the architecture "
            f"{' or '.join(WITH_BUS)}, got a {type(model).__name__}"
        )
    if layer is not None and f"bus{layer}" not in names:
        raise InputError(f"layer: expected 0 to {len(names) - 1}, got {layer}")
    return len(names) - 1 if layer is None else layer


@torch.no_grad()
def _imagined_buses(
    model: WorldModel, recordings: Sequence[str], clips: int, layer: int
) -> np.ndarray:
    """Buses of imagined steps, averaged over space. Shape (samples, D)."""
    buses = []
    for recorded in recorded_clips(recordings, model.frame_shape, LENGTH, clips):
        clip = recorded.to(model.device)
        state = observe(model, clip.frames[:, :CONTEXT], clip.actions[:, : CONTEXT - 1])
        for step in imagine(model, state, clip.actions[:, CONTEXT - 1 :]):
            bus = step.state["recurrent"][f"bus{layer}"]
            buses.append(bus.mean((-2, -1)).double().cpu().numpy())
    if not buses:
        raise InputError(f"recordings: expected undamaged clips in {', '.join(recordings)}")
    return np.concatenate(buses)


def _clusters(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres (K, D) and spreads (K,); a cluster of equal values has the mean of the others'."""
    from sklearn.cluster import KMeans  # noqa: PLC0415  slow to import

    means = KMeans(count, random_state=0)
    labels = means.fit_predict(values)
    centres = means.cluster_centers_
    squared = np.square(values - centres[labels]).sum(1)
    sizes = np.bincount(labels, minlength=count)
    spread = np.sqrt(np.bincount(labels, squared, count) / np.maximum(sizes, 1))
    usual = spread[spread > 0].mean() if (spread > 0).any() else 1.0
    return centres, np.where(spread > 0, spread, usual)
