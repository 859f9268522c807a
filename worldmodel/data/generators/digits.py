"""Pictures of handwritten digits: MNIST's, or the small ones that come with scikit-learn."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from worldmodel.data.files.idx import read_idx
from worldmodel.data.generators.generator import GeneratedPart
from worldmodel.errors import InputError

_PREFIXES: dict[GeneratedPart, str] = {"train": "train", "test": "t10k"}
_SMALL_TRAIN = 1_500


@lru_cache(maxsize=4)
def load_digits(path: str | None, part: GeneratedPart, side: int) -> np.ndarray:
    """Load digits once per process.

    Without a path they are the 1,797 digits of 8 x 8 pixels and 17 gray levels of
    `sklearn.datasets.load_digits`, the first 1,500 for training. Enlarged to 20 x 20 in the middle
    of 28 x 28 pixels, they are as large as MNIST's.

    Args:
        path: Folder of MNIST's IDX files, or one such file of any part, gzipped or not.
        part: Which of MNIST's parts to take from a folder.
        side: Pixels d of a side to resize to.

    Returns:
        Read-only, uint8. Shape (N, d, d).

    Raises:
        InputError: There is no such file, it is damaged, or holds no square pictures.
    """
    recorded = _small_digits(part) if path is None else _mnist(Path(path), part)
    pictures = _resized(recorded, side)
    pictures.flags.writeable = False
    return pictures


def _mnist(path: Path, part: GeneratedPart) -> np.ndarray:
    file = _in_folder(path, part) if path.is_dir() else path
    pictures = read_idx(file)
    if pictures.ndim != 3 or pictures.shape[1] != pictures.shape[2] or not pictures.size:
        raise InputError(f"{file}: expected square pictures (N, d, d), got {pictures.shape}")
    return pictures.copy()


def _in_folder(folder: Path, part: GeneratedPart) -> Path:
    pattern = f"{_PREFIXES[part]}-images?idx3-ubyte*"
    found = sorted(folder.glob(pattern))
    if not found:
        raise InputError(
            f"{folder}: expected MNIST's {pattern.replace('?', '-')}, found no such file"
        )
    return found[0]


def _small_digits(part: GeneratedPart) -> np.ndarray:
    levels = import_module("sklearn.datasets").load_digits().images
    chosen = levels[:_SMALL_TRAIN] if part == "train" else levels[_SMALL_TRAIN:]
    pictures = np.rint(chosen * (255 / 16)).astype(np.uint8)
    return np.pad(_resized(pictures, 20), ((0, 0), (4, 4), (4, 4)))


def _resized(pictures: np.ndarray, side: int) -> np.ndarray:
    """Pixels are means of those they cover where pictures shrink, interpolated where they grow."""
    if pictures.shape[1] == side:
        return pictures
    mode = "area" if side < pictures.shape[1] else "bilinear"
    levels = torch.from_numpy(pictures)[:, None].float()
    return interpolate(levels, (side, side), mode=mode)[:, 0].round().byte().numpy()
