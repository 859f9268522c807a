"""Generators of clips, one file each."""

from __future__ import annotations

from worldmodel.data.generators.generator import Generator
from worldmodel.data.generators.mixed_moving_mnist import MixedMovingMNIST
from worldmodel.data.generators.moving_mnist import MovingMNIST
from worldmodel.data.generators.moving_sprites import MovingSprites
from worldmodel.data.generators.v_mnist import VMNIST

GENERATORS: tuple[type[Generator], ...] = (MovingMNIST, MixedMovingMNIST, VMNIST, MovingSprites)
"""All that a user can choose from."""

__all__ = ["GENERATORS", "Generator"]
