"""What differs between laboratories: arm, object, colors, camera and light over one workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from worldmodel.errors import InputError

Color = tuple[float, float, float]
"""Red, green and blue in [0, 1]."""


@final
@dataclass(frozen=True)
class Viewpoint:
    """A camera that looks at the middle of the workspace.

    Attributes:
        azimuth: Degrees about the vertical; 0 looks along +y, positive stands further to +x.
        elevation: Degrees above the table.
        distance: To the point looked at, in metres.
        field_of_view: Vertical, in degrees.
        shift: Along +y from the middle of the workspace to the point looked at, in metres.
    """

    azimuth: float = 0.0
    elevation: float = 60.0
    distance: float = 1.0
    field_of_view: float = 30.0
    shift: float = 0.02


@final
@dataclass(frozen=True)
class Block:
    """A box or upright cylinder.

    Attributes:
        shape: Kind of solid.
        half_width: Half the side of the box or radius of the cylinder, in metres.
        half_height: In metres.
        color: Of all its faces.
    """

    shape: Literal["box", "cylinder"]
    half_width: float
    half_height: float
    color: Color


@final
@dataclass(frozen=True)
class Distractor:
    """A block outside the workspace that never moves; `place` is its centre (x, y) in metres."""

    block: Block
    place: tuple[float, float]


@final
@dataclass(frozen=True)
class Laboratory:
    """One robot at one table under one camera.

    The workspace is the same square around the origin in every laboratory, so a task means the
    same everywhere and only the pictures differ.

    Attributes:
        name: Unique; the domain of recordings made here.
        base: Shoulder axis (x, y), in metres.
        links: Lengths of upper arm and forearm, in metres.
        link_width: In metres.
        elbow: 1 or -1, the side to which the elbow bends.
        finger_radius: In metres.
        arm: Color of the links.
        joint: Color of column, elbow and shaft.
        hand: Color of palm and fingers.
        table: Color of the table top.
        wall: Color of the rim around the table.
        floor: Color of what lies around the table.
        stripe: Color of two stripes across the table, or None.
        object: The block that is pushed.
        camera: Where pictures are taken from.
        light: Direction in which the light shines.
        ambient: Brightness of surfaces turned away from the light, in [0, 1].
        distractors: Blocks beside the table.
    """

    name: str
    base: tuple[float, float]
    links: tuple[float, float]
    link_width: float
    elbow: Literal[1, -1]
    finger_radius: float
    arm: Color
    joint: Color
    hand: Color
    table: Color
    wall: Color
    floor: Color
    stripe: Color | None
    object: Block
    camera: Viewpoint
    light: tuple[float, float, float]
    ambient: float
    distractors: tuple[Distractor, ...] = ()


LABORATORIES = (
    Laboratory(
        name="ash",
        base=(0.0, 0.30),
        links=(0.29, 0.27),
        link_width=0.034,
        elbow=1,
        finger_radius=0.011,
        arm=(0.95, 0.55, 0.10),
        joint=(0.25, 0.25, 0.28),
        hand=(0.85, 0.10, 0.10),
        table=(0.82, 0.80, 0.76),
        wall=(0.55, 0.53, 0.50),
        floor=(0.35, 0.38, 0.42),
        stripe=None,
        object=Block("cylinder", 0.030, 0.013, (0.10, 0.25, 0.85)),
        camera=Viewpoint(),
        light=(0.3, 0.5, -1.0),
        ambient=0.55,
    ),
    Laboratory(
        name="birch",
        base=(-0.06, 0.32),
        links=(0.31, 0.30),
        link_width=0.026,
        elbow=-1,
        finger_radius=0.011,
        arm=(0.93, 0.93, 0.95),
        joint=(0.15, 0.45, 0.75),
        hand=(0.98, 0.85, 0.15),
        table=(0.20, 0.33, 0.26),
        wall=(0.60, 0.45, 0.30),
        floor=(0.72, 0.68, 0.60),
        stripe=None,
        object=Block("box", 0.026, 0.013, (0.92, 0.20, 0.30)),
        camera=Viewpoint(azimuth=14.0, elevation=66.0, field_of_view=31.0),
        light=(-0.5, 0.2, -1.0),
        ambient=0.5,
    ),
    Laboratory(
        name="cedar",
        base=(-0.26, 0.20),
        links=(0.31, 0.31),
        link_width=0.032,
        elbow=1,
        finger_radius=0.012,
        arm=(0.25, 0.25, 0.30),
        joint=(0.75, 0.15, 0.15),
        hand=(0.10, 0.75, 0.85),
        table=(0.62, 0.42, 0.26),
        wall=(0.30, 0.20, 0.14),
        floor=(0.15, 0.15, 0.18),
        stripe=(0.68, 0.48, 0.31),
        object=Block("box", 0.028, 0.012, (0.95, 0.92, 0.85)),
        camera=Viewpoint(azimuth=20.0, elevation=60.0, field_of_view=32.0),
        light=(0.6, -0.3, -1.0),
        ambient=0.6,
    ),
    Laboratory(
        name="dune",
        base=(0.12, 0.30),
        links=(0.30, 0.28),
        link_width=0.030,
        elbow=-1,
        finger_radius=0.011,
        arm=(0.35, 0.65, 0.35),
        joint=(0.92, 0.92, 0.90),
        hand=(0.10, 0.10, 0.12),
        table=(0.60, 0.68, 0.80),
        wall=(0.92, 0.92, 0.95),
        floor=(0.45, 0.32, 0.38),
        stripe=(0.53, 0.61, 0.74),
        object=Block("cylinder", 0.028, 0.015, (0.95, 0.60, 0.10)),
        camera=Viewpoint(azimuth=-16.0, elevation=57.0, field_of_view=31.0),
        light=(0.0, 0.6, -1.0),
        ambient=0.65,
        distractors=(
            Distractor(Block("box", 0.03, 0.03, (0.85, 0.25, 0.25)), (-0.30, 0.20)),
            Distractor(Block("cylinder", 0.025, 0.05, (0.2, 0.2, 0.6)), (0.30, -0.02)),
        ),
    ),
)
"""Four laboratories that look clearly different."""


def find_laboratory(name: str) -> Laboratory:
    """The laboratory called `name`.

    Raises:
        InputError: There is none of that name.
    """
    for laboratory in LABORATORIES:
        if laboratory.name == name:
            return laboratory
    available = ", ".join(laboratory.name for laboratory in LABORATORIES)
    raise InputError(f"laboratory: there is no {name!r}; available: {available}")
