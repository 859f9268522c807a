"""Spatiotemporal mode collapse: do the latents still tell the environments apart?

The question and the features are those of ModeRNN (Yao et al., TPAMI 2023, sections IV-A and IV-B):
per clip, the latents averaged over the predicted steps. The score is not the paper's. The paper
finds clusters with DBSCAN and takes the silhouette coefficient of those. Here it is the silhouette
coefficient under the environments' labels: it needs labels, but no radius that decides what a
cluster is, and the two numbers cannot be compared. It is around .5 where environments form
clusters, 0 where the model has collapsed to one mode. Different backgrounds alone can lift it, so
report it beside two controls: `pixel_features` of the same clips, and `latent_features` of an
untrained model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances, silhouette_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from worldmodel.clip import Clip, check_context
from worldmodel.errors import InputError
from worldmodel.model import WorldModel
from worldmodel.rollout import imagined, observe

MAX_COMPONENTS = 20
PERMUTATIONS = 200
PIXEL_GRID = 8


@final
@dataclass(frozen=True)
class Features:
    """One feature vector per clip.

    Attributes:
        values: Averaged over the predicted steps. Shape (N, D).
        domain: Label of each clip's environment. Shape (N,).
        pooling: How space was averaged, in words.
    """

    values: np.ndarray
    domain: np.ndarray
    pooling: str


@final
@dataclass(frozen=True)
class Separation:
    """How well features separate the environments.

    Attributes:
        sc_env: Silhouette coefficient under the environments' labels, in [-1, 1].
        chance: 95 % quantile of the same coefficient under shuffled labels; a score below it is no
            evidence of separation.
        samples: Number of clips.
        per_domain: Number of clips of each label.
        components: Principal components kept.
        pooling: How space was averaged, in words.
        seed: Seed of the shuffles.
    """

    sc_env: float
    chance: float
    samples: int
    per_domain: dict[int, int]
    components: int
    pooling: str
    seed: int


def latent_features(model: WorldModel, clips: Iterable[Clip], context: int) -> Features:
    """Latents of imagined steps, averaged over space and over the predicted steps.

    Puts the model into evaluation mode.

    Args:
        model: The world model.
        clips: Batches of clips.
        context: Number of frames observed before imagining the rest of the clip.

    Raises:
        InputError: The context leaves nothing to predict, or a clip does not fit the model.
    """
    model.eval()

    def pooled_latents(clip: Clip) -> Tensor:
        state = observe(model, clip.frames[:, :context], clip.actions[:, : context - 1])
        future = imagined(model, state, clip.actions[:, context - 1 :])
        return torch.stack([model.latent(s["recurrent"]).mean((-2, -1)) for s in future], dim=1)

    moved = (clip.to(model.device) for clip in clips)
    return _features(pooled_latents, moved, context, "mean over space")


def pixel_features(clips: Iterable[Clip], context: int) -> Features:
    """The control without a model: recorded frames after the context, averaged over time.

    Raises:
        InputError: The context leaves nothing to predict.
    """

    def pooled_frames(clip: Clip) -> Tensor:
        grid = adaptive_avg_pool2d(clip.frames[:, context:].flatten(0, 1), PIXEL_GRID)
        return grid.reshape(*clip.frames[:, context:].shape[:2], -1)

    return _features(pooled_frames, clips, context, f"{PIXEL_GRID}x{PIXEL_GRID} pixel means")


def separation(features: Features, seed: int = 0) -> Separation:
    """Silhouette of the environments in standardised features of at most 20 components.

    Args:
        features: From `latent_features` or `pixel_features`.
        seed: Seed of the label shuffles behind `chance`.

    Raises:
        InputError: Fewer than two labels, or no label with two clips: the coefficient is undefined.
    """
    labels, counts = np.unique(features.domain, return_counts=True)
    samples = len(features.domain)
    if not 2 <= len(labels) < samples:
        raise InputError(
            "STMC: expected clips of at least 2 environments and more clips than environments, "
            f"got {samples} clips of {len(labels)} (labels {labels.tolist()})"
        )
    reduced = _reduced(features.values)
    distances = pairwise_distances(reduced)
    generator = np.random.default_rng(seed)
    shuffled = [
        _silhouette(distances, generator.permutation(features.domain)) for _ in range(PERMUTATIONS)
    ]
    return Separation(
        sc_env=_silhouette(distances, features.domain),
        chance=float(np.quantile(shuffled, 0.95)),
        samples=samples,
        per_domain=dict(zip(labels.tolist(), counts.tolist(), strict=True)),
        components=reduced.shape[1],
        pooling=features.pooling,
        seed=seed,
    )


@torch.no_grad()
def _features(
    pooled: Callable[[Clip], Tensor], clips: Iterable[Clip], context: int, pooling: str
) -> Features:
    """Average `pooled(clip)` (B, T-context, D) over the valid steps of each clip."""
    values, domain = [], []
    for clip in clips:
        check_context(context, clip.frames.shape[1])
        valid = clip.valid[:, context:, None].to(clip.frames.dtype)
        steps = valid.sum(1)
        kept = steps[:, 0] > 0
        mean = (pooled(clip) * valid).sum(1)[kept] / steps[kept]
        values.append(mean.double().cpu().numpy())
        domain.append(clip.domain[kept].cpu().numpy())
    if not values:
        raise InputError("STMC: expected at least one batch of clips, got none")
    return Features(np.concatenate(values), np.concatenate(domain), pooling)


def _reduced(values: np.ndarray) -> np.ndarray:
    varying = values[:, np.ptp(values, axis=0) > 0]
    if varying.shape[1] == 0:
        return np.zeros((len(values), 1))
    standardised = StandardScaler().fit_transform(varying)
    samples, dimensions = standardised.shape
    components = min(MAX_COMPONENTS, samples - 1, dimensions)
    return PCA(components, svd_solver="full").fit_transform(standardised)


def _silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    return float(silhouette_score(distances, labels, metric="precomputed"))
