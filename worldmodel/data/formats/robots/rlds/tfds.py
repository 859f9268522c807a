"""Features of a step, as tensorflow_datasets describes them in `features.json` and stores them.

Follows its `feature.proto`, `example_serializer.py`, `tensor_feature.py` and `image_feature.py`: in
a sequence, what a feature has at each step is put end to end in one list of the record.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from worldmodel.data.files.pictures import decode_pictures, picture_size
from worldmodel.data.files.tfrecord import Example, finite
from worldmodel.data.recording import Camera
from worldmodel.errors import InputError

MALFORMED = (LookupError, TypeError, ValueError, OverflowError, AttributeError, RecursionError)
"""What reading JSON of another structure than expected raises."""

_NUMBERS = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
_FLOATS = ("float16", "float32", "float64")
_LARGEST = 2**31


@final
@dataclass(frozen=True)
class Feature:
    """A picture or tensor that there is at each step.

    Attributes:
        key: Its name in the record, such as `steps/observation/state`.
        dtype: Of a value, such as "float32".
        shape: At one step; negative where it is not declared.
        encoding: "picture" for PNG or JPEG; of a tensor "none", "bytes" or "zlib".
        description: In words.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    encoding: str
    description: str

    @property
    def is_vector(self) -> bool:
        """Whether it is a number or a row of numbers."""
        return self.is_tensor and len(self.shape) <= 1

    @property
    def is_tensor(self) -> bool:
        """Whether it consists of numbers."""
        return self.encoding != "picture" and self.dtype in (*_NUMBERS, *_FLOATS)

    @property
    def is_float(self) -> bool:
        """Whether it consists of floating point numbers."""
        return self.dtype in _FLOATS

    @property
    def is_camera(self) -> bool:
        """Whether it shows brightness or colors, 8 bits each."""
        shaped = len(self.shape) == 3 and self.shape[2] in (1, 3)
        return self.dtype == "uint8" and (shaped or self.encoding == "picture")

    @property
    def width(self) -> int:
        """Values at one step.

        Raises:
            InputError: The shape is not declared.
        """
        width = math.prod(self.shape)
        if min(self.shape, default=1) < 1 or width > _LARGEST:
            raise InputError(f"expected '{self.key}' to declare its shape, got {self.shape}")
        return width

    def count(self, example: Example) -> int:
        """Steps that there are in a record.

        Raises:
            InputError: It is missing, of another type, or ends within a step.
        """
        if self.encoding != "none":
            return len(example.strings(self.key))
        stored = example.floats(self.key) if self.is_float else example.integers(self.key)
        if len(stored) % self.width:
            raise InputError(
                f"expected '{self.key}' to have {self.width} values per step, got {len(stored)}"
            )
        return len(stored) // self.width

    def rows(self, example: Example) -> np.ndarray:
        """A tensor at all steps, float32 or float64 (T, width).

        Raises:
            InputError: It is damaged, NaN or infinite.
        """
        rows = finite(self._rows(example, range(self.count(example))), self.key)
        return rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)

    def picture_shape(self, example: Example) -> tuple[int, int, int]:
        """Height, width and channels of a camera's first picture.

        Raises:
            InputError: It is no picture.
        """
        if self.encoding != "picture":
            height, width, channels = self.shape
            return height, width, channels
        return picture_size(example.strings(self.key)[0])

    def pictures(self, example: Example, steps: range, camera: Camera) -> np.ndarray:
        """A camera at some steps, uint8 (n, H, W, C).

        Raises:
            InputError: A picture is damaged, missing or of another size.
        """
        if (count := self.count(example)) < steps.stop:
            raise InputError(f"expected at least {steps.stop} of '{self.key}', got {count}")
        if self.encoding == "picture":
            stored = example.strings(self.key)[steps.start : steps.stop]
            return decode_pictures(stored, steps, camera)
        rows = self._rows(example, steps)
        if rows.min() < 0 or rows.max() > 255:
            raise InputError(f"expected '{self.key}' to be from 0 to 255")
        return rows.astype(np.uint8).reshape(len(steps), *self.shape)

    def _rows(self, example: Example, steps: range) -> np.ndarray:
        if self.encoding != "none":
            stored = example.strings(self.key)[steps.start : steps.stop]
            data = b"".join(map(self._unpacked, stored))
            return np.frombuffer(data, self.dtype).reshape(len(steps), self.width)
        bounds = slice(steps.start * self.width, steps.stop * self.width)
        values = (
            example.floats(self.key)[bounds]
            if self.is_float
            else np.array(example.integers(self.key)[bounds], np.int64)
        )
        return values.reshape(len(steps), self.width)

    def _unpacked(self, data: bytes) -> bytes:
        """The bytes of one step, no more of which are inflated than it declares."""
        size = self.width * np.dtype(self.dtype).itemsize
        if self.encoding == "zlib":
            try:
                data = zlib.decompressobj().decompress(data, size + 1)
            except zlib.error as error:
                raise InputError(f"'{self.key}' cannot be inflated ({error})") from error
        if len(data) != size:
            raise InputError(f"expected '{self.key}' to have {size} bytes per step")
        return data


def step_features(path: Path) -> tuple[Feature, ...]:
    """All features of a step, by name within each level.

    Args:
        path: Of a `features.json`.

    Raises:
        InputError: It is damaged, or describes no steps.
    """
    try:
        steps = read_json(path)["featuresDict"]["features"]["steps"]["sequence"]["feature"]
        return tuple(_features(steps, "steps"))
    except MALFORMED as error:
        raise InputError(
            "expected the description of a sequence of steps, as tensorflow_datasets writes it"
        ) from error


def read_json(path: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        ValueError: It holds none, or cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error


def _features(node: Any, key: str) -> Iterator[Feature]:
    """What a description holds; sequences within a step are left out."""
    if "featuresDict" in node:
        for name, below in sorted(node["featuresDict"]["features"].items()):
            yield from _features(below, f"{key}/{name}")
        return
    words = str(node.get("description", ""))
    if "image" in node:
        image = node["image"]
        yield Feature(key, str(image.get("dtype") or "uint8"), _shape(image), "picture", words)
    elif "tensor" in node:
        tensor = node["tensor"]
        encoding = tensor.get("encoding") or "none"
        if encoding not in ("none", "bytes", "zlib"):
            raise ValueError(f"unknown encoding {encoding}")
        yield Feature(key, str(tensor["dtype"]), _shape(tensor), encoding, words)


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(int(side) for side in node.get("shape", {}).get("dimensions", ()))
