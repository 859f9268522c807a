"""The record that travels from logs to models: frames, actions, domains and what is valid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

import torch
from tensordict import TensorClass
from torch import Tensor

from worldmodel.errors import InputError


@final
class Clip(TensorClass):
    """A batch of video clips with the actions between their frames.

    Attributes:
        frames: Pixels in [0, 1], floating point. Shape (B, T, C, H, W).
        actions: Action t takes frame t to frame t+1, in the units of the log. Shape (B, T-1, A);
            A = 0 for action-free data.
        domain: Integer label of the laboratory, robot or season. Shape (B,).
        valid: True where a frame was really recorded. Shape (B, T).
        missing: True where nothing was measured and pixels are 0; None if everything was. Shape
            (B, T, 1, H, W).
    """

    frames: Tensor
    actions: Tensor
    domain: Tensor
    valid: Tensor
    missing: Tensor | None = None

    if TYPE_CHECKING:

        def __getitem__(self, index: Any) -> Clip:
            """Some of the clips; `index` is along the batch."""
            ...

    @classmethod
    def checked(
        cls,
        frames: Tensor,
        actions: Tensor | None = None,
        domain: Tensor | None = None,
        valid: Tensor | None = None,
        missing: Tensor | None = None,
    ) -> Clip:
        """Build a clip from outside data; what is left out is action-free, domain 0 and all valid.

        Raises:
            InputError: A field has a wrong shape or type, holds a number that is not finite, or a
                pixel lies outside [0, 1]. The message names the field.
        """
        if frames.ndim != 5 or not frames.is_floating_point():
            raise InputError(
                "Clip.frames: expected floating-point pixels of shape (B, T, C, H, W), "
                f"got {frames.dtype} {tuple(frames.shape)}"
            )
        batch, time = frames.shape[:2]
        if time < 2:
            raise InputError(f"Clip.frames: expected at least 2 frames, got {time}")
        device = frames.device
        actions = frames.new_zeros(batch, time - 1, 0) if actions is None else actions
        domain = torch.zeros(batch, dtype=torch.long, device=device) if domain is None else domain
        valid = torch.ones(batch, time, dtype=torch.bool, device=device) if valid is None else valid
        if actions.ndim != 3 or actions.shape[:2] != (batch, time - 1):
            raise InputError(
                f"Clip.actions: expected shape (B, T-1, A) = ({batch}, {time - 1}, A), "
                f"got {tuple(actions.shape)}"
            )
        if domain.shape != (batch,) or domain.is_floating_point():
            raise InputError(
                f"Clip.domain: expected integers of shape (B,) = ({batch},), "
                f"got {domain.dtype} {tuple(domain.shape)}"
            )
        if valid.shape != (batch, time) or valid.dtype != torch.bool:
            raise InputError(
                f"Clip.valid: expected booleans of shape (B, T) = ({batch}, {time}), "
                f"got {valid.dtype} {tuple(valid.shape)}"
            )
        pixels = (batch, time, 1, *frames.shape[3:])
        if missing is not None and (missing.shape != pixels or missing.dtype != torch.bool):
            raise InputError(
                f"Clip.missing: expected booleans of shape (B, T, 1, H, W) = {pixels}, "
                f"got {missing.dtype} {tuple(missing.shape)}"
            )
        low, high = _finite_range("frames", frames)
        _finite_range("actions", actions)
        if low < 0.0 or high > 1.0:
            raise InputError(f"Clip.frames: expected pixels in [0, 1], got [{low:g}, {high:g}]")
        return cls(
            frames=frames,
            actions=actions,
            domain=domain,
            valid=valid,
            missing=missing,
            batch_size=[batch],
        )


def where_measured(prediction: Tensor, clip: Clip, context: int) -> Tensor:
    """A prediction (B, T-context, C, H, W), with the truth where nothing was measured."""
    if clip.missing is None:
        return prediction
    return torch.where(clip.missing[:, context:], clip.frames[:, context:], prediction)


def check_context(context: int, length: int) -> None:
    """Refuse a context that leaves nothing to predict.

    Raises:
        InputError: `context` is not in 1..length-1.
    """
    if not 1 <= context < length:
        raise InputError(
            f"context: expected 1 to {length - 1} frames of a clip of {length}, got {context}"
        )


def _finite_range(name: str, values: Tensor) -> tuple[float, float]:
    """Smallest and largest value; both are NaN or infinite where one value is."""
    if not values.numel():
        return 0.0, 0.0
    low, high = (float(bound) for bound in torch.aminmax(values.detach()))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"Clip.{name}: expected finite numbers, got NaN or infinity")
    return low, high
