"""Imagined futures beside what belongs to their environments."""

from __future__ import annotations

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.planners.cost import Scene


def by_environment(futures: Tensor, environments: int) -> Tensor:
    """Values (B, ...) of B = E * N futures as (E, N, ...).

    Raises:
        InputError: B is no multiple of E.
    """
    if len(futures) % environments:
        raise InputError(
            f"cost: expected as many futures for each of its {environments} environments, "
            f"got {len(futures)}"
        )
    return futures.unflatten(0, (environments, -1))


def difference(futures: Tensor, known: Tensor, what: str, name: str) -> Tensor:
    """Futures (B, ...) minus what is known (E, ...) of their environment. Shape (B, ...).

    Args:
        futures: Frames or features.
        known: What they are compared with.
        what: What the futures are, for the error.
        name: What is known, for the error.

    Raises:
        InputError: The shapes differ, or B is no multiple of E.
    """
    if futures.shape[1:] != known.shape[1:] or len(futures) % len(known):
        raise InputError(
            f"{what}: expected shape {tuple(known.shape[1:])} like the {name}, and as many "
            f"futures for each of its {len(known)} environments, got {tuple(futures.shape)}"
        )
    known = known.to(futures.device)[:, None]
    return (by_environment(futures, len(known)) - known).flatten(0, 1)


def device_of(scene: Scene) -> torch.device:
    """Where futures are imagined."""
    return scene.models[0].device if scene.models else scene.start.device
