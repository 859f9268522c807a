"""Folders that `TensorDict.memmap` writes: a `meta.json` per level, one raw file per tensor.

Follows the public writer, https://github.com/pytorch/tensordict (`tensordict/_td.py`). Tensors are
mapped by what `meta.json` says of them; what is no tensor was pickled, and is refused unread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.errors import InputError

META = "meta.json"
PICKLED = "other.pickle"

_SUFFIX = ".memmap"
_DTYPES: Mapping[str, np.dtype[Any]] = {
    f"torch.{name}": np.dtype(name)
    for name in (
        *("uint8", "int8", "int16", "int32", "int64", "bool"),
        *("float16", "float32", "float64"),
    )
}


class Tensor(NamedTuple):
    """What is declared of a tensor.

    Attributes:
        file: Relative to the data set.
        shape: With the batch dimensions of the TensorDict.
        dtype: Of its elements.
    """

    file: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Stored(NamedTuple):
    """A TensorDict that was stored.

    Attributes:
        batch: Its batch dimensions.
        tensors: By nested key, "next/pixels"; those that numpy has no type for are left out.
        files: All of its files, relative to the data set.
    """

    batch: tuple[int, ...]
    tensors: Mapping[str, Tensor]
    files: tuple[str, ...]


def roots(folder: Folder) -> list[str]:
    """Folders of the TensorDicts that lie in no other one, "" for the data set itself, sorted."""
    levels = {_parent(file) for file in folder.files if _name(file) == META}
    return sorted(
        level for level in levels if not levels & set(_above(level)) and _name(level) != "next"
    )


def files_of(folder: Folder, root: str) -> tuple[str, ...]:
    """All files of a TensorDict."""
    return tuple(file for file in folder.files if not root or file.startswith(f"{root}/"))


def stored(folder: Folder, root: str) -> Stored:
    """What a stored TensorDict consists of.

    Raises:
        InputError: It is lazily stacked, has no batch dimension, holds what was pickled, or what
            describes it is damaged.
    """
    files = files_of(folder, root)
    for file in files:
        if _name(file) == PICKLED:
            raise InputError(
                "expected tensors alone, got something that was pickled and is not loaded; "
                f"leave out {_parent(file)!r} before storing",
                file=file,
            )
    content = _meta(folder, _inside(root, META))
    kind = str(content.get("_type", ""))
    if "Lazy" in kind:
        raise InputError(
            "expected a dense TensorDict, got a lazy stack; store what `.densify()` or "
            "`.contiguous()` gives",
            file=_inside(root, META),
        )
    batch = _shape(content.get("shape"), _inside(root, META))
    if not math.prod(batch) or not batch:
        raise InputError(f"expected steps along a batch dimension, got batch size {batch}")
    return Stored(batch, dict(_tensors(folder, root, "", content)), files)


def steps_of(folder: Folder, tensor: Tensor, batch: tuple[int, ...]) -> np.ndarray:
    """A tensor, mapped, with its batch dimensions flattened into one: (n, ...).

    Raises:
        InputError: It has other batch dimensions, or its file is missing or of another size.
    """
    if tensor.shape[: len(batch)] != batch:
        raise InputError(f"expected batch dimensions {batch}, got {tensor.shape}", file=tensor.file)
    if tensor.file not in folder:
        raise InputError("there is no such file", file=tensor.file)
    size = math.prod(tensor.shape) * tensor.dtype.itemsize
    if size != folder.files[tensor.file].size or not size:
        raise InputError(
            f"expected {size} bytes for {tensor.dtype} {tensor.shape}, "
            f"got {folder.files[tensor.file].size}",
            file=tensor.file,
        )
    shape = (math.prod(batch), *tensor.shape[len(batch) :])
    try:
        return np.memmap(folder.local(tensor.file), tensor.dtype, "r", shape=shape)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be mapped ({error})", file=tensor.file) from error


def content_of(folder: Folder, file: str) -> dict[str, Any]:
    """What a small JSON file says; empty if there is none.

    Raises:
        InputError: It is no JSON object.
    """
    return _meta(folder, file) if file in folder else {}


def _tensors(
    folder: Folder, level: str, prefix: str, content: Mapping[str, Any]
) -> Iterator[tuple[str, Tensor]]:
    for name, described in content.items():
        if not isinstance(described, dict):
            continue
        file = _inside(level, f"{name}{_SUFFIX}")
        if "dtype" in described:
            dtype = _DTYPES.get(str(described["dtype"]))
            if dtype is not None and not described.get("is_nested"):
                shape = _shape(described.get("shape"), _inside(level, META))
                yield prefix + name, Tensor(file, shape, dtype)
        elif described.get("type") == "TensorDict":
            below = _inside(level, name)
            inner = _meta(folder, _inside(below, META))
            yield from _tensors(folder, below, f"{prefix}{name}/", inner)


def _meta(folder: Folder, file: str) -> dict[str, Any]:
    try:
        content = json.loads(folder.content(file))
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected JSON ({error})", file=file) from error
    if not isinstance(content, dict):
        raise InputError(f"expected a JSON object, got {str(content)[:40]}", file=file)
    return content


def _shape(described: Any, file: str) -> tuple[int, ...]:
    if not isinstance(described, list) or not all(
        type(size) is int and size >= 0 for size in described
    ):
        raise InputError(f"expected shapes to be lists of sizes, got {described!r:.80}", file=file)
    return tuple(described)


def _inside(level: str, name: str) -> str:
    return f"{level}/{name}" if level else name


def _parent(file: str) -> str:
    return file.rpartition("/")[0]


def _name(file: str) -> str:
    return file.rpartition("/")[2]


def _above(level: str) -> Iterator[str]:
    """Every folder that holds this one, and the data set itself."""
    while level:
        level = _parent(level)
        yield level
