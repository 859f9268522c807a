"""Our RIM cell and slot attention against numbers from the code of the thesis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from published_rims import (
    rim_cell_from_published,
    slot_attention_from_published,
)
from torch import Tensor

from worldmodel.errors import InputError

Arrays = Mapping[str, np.ndarray]
Triple = tuple[str, Tensor, np.ndarray]


def compare_rim(arrays: Arrays, config: Mapping[str, Any]) -> Iterator[Triple]:
    """Yield name, ours and reference for each output of one step of a RIM cell."""
    for prefix, dtype in _precisions(arrays):
        cell = rim_cell_from_published(config, _weights(arrays)).to(dtype)
        inputs, hidden = (torch.from_numpy(arrays[f"in/{n}"]).to(dtype) for n in ("slots", "h"))
        with torch.no_grad():
            reading = cell.attention(inputs, hidden)
            ours = {
                "h": cell(inputs, hidden, None),
                "active_mask": reading.active.to(dtype),
                "input_attention": reading.weights,
            }
        yield from _triples(prefix, ours, arrays)


def compare_slot_attention(arrays: Arrays, config: Mapping[str, Any]) -> Iterator[Triple]:
    """Yield name, ours and reference for the slots that slot attention finds."""
    for prefix, dtype in _precisions(arrays):
        module = slot_attention_from_published(config, _weights(arrays)).to(dtype)
        features, noise = (
            torch.from_numpy(arrays[f"in/{n}"]).to(dtype) for n in ("features", "slot_noise")
        )
        with torch.no_grad():
            ours = {"slots": module.refine(features, noise)}
        yield from _triples(prefix, ours, arrays)


def _precisions(arrays: Arrays) -> list[tuple[str, torch.dtype]]:
    known = [("out/", torch.float32), ("out64/", torch.float64)]
    return [(p, dtype) for p, dtype in known if any(name.startswith(p) for name in arrays)]


def _weights(arrays: Arrays) -> dict[str, Tensor]:
    return {
        name.removeprefix("w/"): torch.from_numpy(value)
        for name, value in arrays.items()
        if name.startswith("w/")
    }


def _triples(prefix: str, ours: Mapping[str, Tensor], arrays: Arrays) -> Iterator[Triple]:
    """Every output of the reference.

    Raises:
        InputError: We have no such output.
    """
    for name, reference in arrays.items():
        if name.startswith(prefix):
            if name.removeprefix(prefix) not in ours:
                raise InputError(f"{name}: no such output; available: {', '.join(ours)}")
            yield name, ours[name.removeprefix(prefix)], reference
