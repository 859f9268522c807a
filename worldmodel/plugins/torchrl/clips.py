"""What TorchRL collected, as clips to train on, without writing a file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from tensordict import NestedKey, TensorDictBase, unravel_key
from torch import Tensor
from torchrl.data import ReplayBuffer

from worldmodel.clip import Clip
from worldmodel.data.formats.robots.tensordict.episodes import split, stretches, unconnected
from worldmodel.errors import InputError
from worldmodel.plugins.torchrl.frames import to_frames

ENDS = ("done", "terminated", "truncated")
TRAJECTORIES = ("collector", "traj_ids")
MASK = ("collector", "mask")


class Collected(NamedTuple):
    """What was cut from a rollout or a replay buffer.

    Attributes:
        clips: Frames (B, T, C, H, W) and the actions between them (B, T-1, A).
        unused: What was not used, in words: entries by their names, and steps by their number.
    """

    clips: Clip
    unused: tuple[str, ...]


def clips(
    data: TensorDictBase | ReplayBuffer,
    length: int,
    *,
    hop: int | None = None,
    pixels: NestedKey = "pixels",
    action: NestedKey = "action",
) -> Collected:
    """Cut clips from what was collected; an episode's end is never inside one.

    Steps follow each other along the last batch dimension. An episode ends where `next` says
    `done`, `terminated` or `truncated`, where `("collector", "traj_ids")` changes, where
    `("collector", "mask")` pads, and wherever the next picture is not the one that the step led to,
    as in a replay buffer that went round. The last frame is that of `next`, if it is there.

    Args:
        data: A rollout of batch size (T,) or (..., T), or a replay buffer of TensorDicts.
        length: Frames T of a clip.
        hop: Steps from the start of a clip to that of the next; length-1 if left out, so that
            each action is used once.
        pixels: Pictures: uint8, (H, W, C) or (C, H, W), or floating point in [0, 1].
        action: Actions of any shape, flattened; in the units that they are in.

    Raises:
        InputError: There is no such entry, it is no picture, or no episode is long enough.
    """
    if _below(2, length) or (hop is not None and _below(1, hop)):
        raise InputError(
            "clips: expected whole numbers, a length of at least 2 and a hop of at least 1, "
            f"got {length!r} and {hop!r}"
        )
    steps = _steps(data)
    seen, acted = _entry(steps, pixels), _entry(steps, action)
    to_frames(seen[:1], str(pixels))
    led_to = steps.get(_next(pixels), None)
    frames, actions, lengths = list[Tensor](), list[Tensor](), [0]
    used = torch.zeros(len(acted), dtype=torch.bool)
    for episode in _episodes(steps, seen, led_to):
        start, stop = episode.start, episode.stop
        film = seen[start:stop]
        if led_to is not None:
            film = torch.cat([film, led_to[stop - 1 : stop]])
        lengths.append(len(film))
        for first in range(0, len(film) - length + 1, hop or length - 1):
            between = slice(start + first, start + first + length - 1)
            frames.append(film[first : first + length])
            actions.append(acted[between])
            used[between] = True
    if not frames:
        raise InputError(
            f"clips: expected an episode of at least {length} frames, "
            f"the longest of {len(lengths) - 1} has {max(lengths)}"
        )
    taken = torch.stack(actions).flatten(2)
    cut = Clip.checked(
        to_frames(torch.stack(frames), str(pixels)),
        taken if taken.is_floating_point() else taken.float(),
    )
    return Collected(cut, _unused(steps, {pixels, action}, used))


def _below(least: int, number: object) -> bool:
    """Whether it is too small, or no whole number."""
    return not isinstance(number, int) or number < least


def _steps(data: TensorDictBase | ReplayBuffer) -> TensorDictBase:
    """All steps one after the other, batch size (n,); the last of a row is marked."""
    seam = 0
    if isinstance(data, ReplayBuffer):
        if not len(data):
            raise InputError("clips: expected a replay buffer with steps, this one is empty")
        seam = data.write_count % len(data)  # where the next step goes, on the oldest if it is full
        data = data[:]
    if not isinstance(data, TensorDictBase) or not data.batch_dims or not data.numel():
        raise InputError(
            "clips: expected a TensorDict of batch size (T,) or (..., T), or a replay buffer of "
            f"them, got {getattr(data, 'batch_size', type(data).__name__)}"
        )
    last = torch.zeros(data.batch_size, dtype=torch.bool)
    last[..., [seam - 1, -1]] = True
    return data.copy().set("_last", last.to(data.device)).reshape(-1)


def _episodes(steps: TensorDictBase, seen: Tensor, led_to: Tensor | None) -> list[range]:
    """Where steps follow each other."""
    ends = steps["_last"].cpu()
    for flag in ENDS:
        if (ended := steps.get(("next", flag), None)) is not None:
            ends |= ended.reshape(len(ends), -1).any(1).cpu()
    padding = torch.zeros_like(ends)
    if (mask := steps.get(MASK, None)) is not None:
        padding = ~mask.reshape(len(ends), -1).all(1).cpu()
    marks = [padding[:, None], *([] if (ids := _ids(steps)) is None else [ids])]
    for mark in marks:
        ends[:-1] |= (mark[1:] != mark[:-1]).any(1)
    found = [each for each in stretches(_array(ends)) if not padding[each.start]]
    if led_to is None:
        return found
    pictures, after = _array(seen), _array(led_to)
    return [part for each in found for part in split(each, unconnected(pictures, after, each))]


def _ids(steps: TensorDictBase) -> Tensor | None:
    ids = steps.get(TRAJECTORIES, None)
    return None if ids is None else ids.reshape(len(ids), -1).cpu()


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().cpu())


def _entry(steps: TensorDictBase, key: NestedKey) -> Tensor:
    value = steps.get(key, None)
    if not isinstance(value, Tensor):
        raise InputError(f"clips: there is no tensor {key!r}; available: {_listed(steps, set())}")
    return value


def _unused(steps: TensorDictBase, keys: set[NestedKey], used: Tensor) -> tuple[str, ...]:
    left = int((~used).sum())
    told = f"{left} of {len(used)} steps, in no whole clip"
    entries = _listed(steps, {*keys, *map(_next, keys)})
    return tuple(filter(None, [told if left else "", *entries.split(", ")]))


def _listed(steps: TensorDictBase, used: set[NestedKey]) -> str:
    """Names of entries, without what tells episodes apart."""
    read = {
        *map(unravel_key, used),
        *(("next", flag) for flag in ENDS),
        TRAJECTORIES,
        MASK,
        "_last",
    }
    there = (key for key in steps.keys(True, True) if key not in read)
    return ", ".join(sorted(key if isinstance(key, str) else "/".join(key) for key in there))


def _next(key: NestedKey) -> NestedKey:
    return unravel_key(("next", key))
