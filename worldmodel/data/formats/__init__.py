"""The formats of recordings: of robots, of radar, of videos alone, and plain folders."""

from __future__ import annotations

from worldmodel.data.files.folder import Folder
from worldmodel.data.format import Format
from worldmodel.errors import InputError
from worldmodel.registry import Registry

_HERE = "worldmodel.data.formats"

FORMATS: Registry[Format] = Registry(
    "format",
    {
        "lerobot-v3": f"{_HERE}.robots.lerobot:V3",
        "lerobot-v2": f"{_HERE}.robots.lerobot:V2",
        "rlds": f"{_HERE}.robots.rlds:FORMAT",
        "bair": f"{_HERE}.robots.bair:FORMAT",
        "robonet": f"{_HERE}.robots.robonet:FORMAT",
        "minari": f"{_HERE}.robots.minari:FORMAT",
        "robomimic": f"{_HERE}.robots.robomimic:FORMAT",
        "tensordict": f"{_HERE}.robots.tensordict:FORMAT",
        "rosbag": f"{_HERE}.robots.rosbag:FORMAT",
        "kth": f"{_HERE}.video.kth:FORMAT",
        "kth-frames": f"{_HERE}.video.kth_frames:FORMAT",
        "human36m": f"{_HERE}.video.human36m:FORMAT",
        "moving-mnist": f"{_HERE}.video.moving_mnist:FORMAT",
        "arrays": f"{_HERE}.plain.arrays:FORMAT",
        "videos": f"{_HERE}.plain.videos:FORMAT",
    },
)
"""By the name that a user gives."""

GENERIC = ("arrays", "videos")
"""Those that also read what belongs to another format; they are tried last."""


def format_of(folder: Folder) -> Format:
    """The first format that recognises a folder: ours, those of other packages, generic ones.

    Raises:
        InputError: None does.
    """
    for name in sorted(FORMATS, key=GENERIC.__contains__):
        if FORMATS[name].reader.recognises(folder):
            return FORMATS[name]
    examples = ", ".join(list(folder.files)[:5])
    raise InputError(
        f"{folder}: {len(folder.files)} files ({examples}) look like no known format of "
        f"recordings; choose the format that they should have, to be told what does not fit it: "
        f"{', '.join(FORMATS)}"
    )
