"""What `metadata.json` of a Minari data set says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple, final

import gymnasium
import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.robots.hdf5_episodes import Layout, picture_layout
from worldmodel.data.optional import library
from worldmodel.errors import InputError, located

ACTION_NAMES, ACTION_UNITS, STATE_NAMES = "action_names", "action_units", "state_names"
"""Keys of lists that the library does not know, and keeps."""

CAMERA_NAMES = "camera_names"
"""Key of an object that the library does not know: names of the cameras in order, by their path."""

_SPACE_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
)


class Leaf(NamedTuple):
    """A space that is not made of others.

    Attributes:
        key: Of its dataset in an episode.
        name: Path within the space, with `/`; empty if it is the whole.
        space: What it is.
    """

    key: str
    name: str
    space: gymnasium.Space


class Pictures(NamedTuple):
    """An observation that is a picture.

    Attributes:
        name: As declared, else the path within the space; empty if it is the whole.
        key: Of its dataset in an episode.
        layout: How a picture is stored, unless as JPEG.
        shape: Of a picture that is stored so.
    """

    name: str
    key: str
    layout: Layout
    shape: tuple[int, ...]


@final
@dataclass(frozen=True)
class Description:
    """What `metadata.json` says.

    Attributes:
        episodes: How many there should be.
        cameras: Observations that are pictures.
        states: Observations that are vectors of floating point numbers.
        actions: All parts of the action.
        action_names: One per column, as declared; empty if they are not.
        action_units: One per column, as declared; empty if they are not.
        state_names: One per column, as declared; empty if they are not.
        environment: Which was recorded.
    """

    episodes: int
    cameras: tuple[Pictures, ...]
    states: tuple[Leaf, ...]
    actions: tuple[Leaf, ...]
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    state_names: tuple[str, ...]
    environment: str


def leaves(space: gymnasium.Space, key: str, name: str = "") -> Iterator[Leaf]:
    """The parts of a space that are stored as a dataset each.

    Args:
        space: Of observations or actions.
        key: Of the group or dataset that holds it.
        name: Path within the whole.
    """
    if isinstance(space, gymnasium.spaces.Dict):
        parts = [(part, part, inner) for part, inner in space.spaces.items()]
    elif isinstance(space, gymnasium.spaces.Tuple):
        parts = [(f"_index_{i}", str(i), inner) for i, inner in enumerate(space.spaces)]
    else:
        yield Leaf(key, name, space)
        return
    for stored, part, inner in parts:
        yield from leaves(inner, f"{key}/{stored}", f"{name}/{part}" if name else part)


def read_description(folder: Folder, file: str) -> Description:
    """Read `metadata.json`.

    Raises:
        InputError: It is missing or damaged, or no observation is a picture.
    """
    with located(file):
        said = _read(folder, file)
        if said.get("data_format", "hdf5") != "hdf5":
            raise InputError(f"expected data_format hdf5, got {said['data_format']}")
        observed = tuple(leaves(_space(said, "observation_space"), "observations"))
        cameras = _cameras(observed, said.get(CAMERA_NAMES))
        if not cameras:
            there = (f"{leaf.name} {leaf.space.dtype} {leaf.space.shape}" for leaf in observed)
            raise InputError(
                "expected an observation that is a picture, a box of uint8 (H, W, C) or "
                f"(C, H, W) with 1 or 3 channels, got {', '.join(there) or 'none'}"
            )
        episodes = said.get("total_episodes")
        return Description(
            episodes=episodes if isinstance(episodes, int) else 0,
            cameras=cameras,
            states=tuple(leaf for leaf in observed if _is_vector(leaf.space)),
            actions=tuple(leaves(_space(said, "action_space"), "actions")),
            action_names=_texts(said, ACTION_NAMES),
            action_units=_texts(said, ACTION_UNITS),
            state_names=_texts(said, STATE_NAMES),
            environment=_environment(said) or PurePosixPath(file).parent.name,
        )


def _cameras(observed: Iterable[Leaf], declared: object) -> tuple[Pictures, ...]:
    """The observations that are pictures, those that are declared first."""
    names = declared if isinstance(declared, dict) else {}
    places = {path: place for place, path in enumerate(names)}
    return tuple(
        Pictures(str(names.get(leaf.name, leaf.name)), leaf.key, layout, leaf.space.shape or ())
        for leaf in sorted(observed, key=lambda leaf: places.get(leaf.name, len(places)))
        if (layout := _layout(leaf.space))
    )


def _read(folder: Folder, file: str) -> dict[str, Any]:
    try:
        said = json.loads(folder.local(file).read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"not readable JSON ({error})") from error
    if not isinstance(said, dict):
        raise InputError(f"expected an object, got {type(said).__name__}")
    return said


def _space(said: Mapping[str, Any], key: str) -> gymnasium.Space:
    text = said.get(key)
    if not isinstance(text, str):
        raise InputError(f"expected '{key}' to describe a space, available: {', '.join(said)}")
    serialization = library("minari.serialization")
    try:
        return serialization.deserialize_space(text)
    except _SPACE_DAMAGE as error:
        raise InputError(f"expected '{key}' to describe a space ({error})") from error


def _layout(space: gymnasium.Space) -> Layout | None:
    if not isinstance(space, gymnasium.spaces.Box) or space.dtype != np.uint8:
        return None
    return picture_layout(space.shape)


def _is_vector(space: gymnasium.Space) -> bool:
    if not isinstance(space, gymnasium.spaces.Box):
        return False
    return len(space.shape) == 1 and space.dtype.kind == "f"


def _texts(said: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = said.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _environment(said: Mapping[str, Any]) -> str:
    """Name of the environment, else of the data set; empty if neither is told."""
    try:
        return str(json.loads(said["env_spec"])["id"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return str(said.get("dataset_id") or "")
