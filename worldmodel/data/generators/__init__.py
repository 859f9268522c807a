"""Generators of clips, one file each."""

from __future__ import annotations

from worldmodel.data.generators.generator import Generator
from worldmodel.registry import Registry

GENERATORS: Registry[type[Generator]] = Registry(
    "generator",
    {
        "moving-mnist": "worldmodel.data.generators.moving_mnist:MovingMNIST",
        "mixed-moving-mnist": "worldmodel.data.generators.mixed_moving_mnist:MixedMovingMNIST",
        "v-mnist": "worldmodel.data.generators.v_mnist:VMNIST",
        "moving-sprites": "worldmodel.data.generators.moving_sprites:MovingSprites",
    },
)
"""All that a user can choose from; entry points `worldmodel.generators` add to them."""

__all__ = ["GENERATORS", "Generator"]
