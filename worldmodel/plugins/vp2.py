"""VP2, the control-centric benchmark for video prediction: a world model as one of its models.

VP2 (Tian, Finn & Wu, ICLR 2023) plans in MuJoCo with any model that its configuration names:

    _target_: worldmodel.plugins.vp2.VP2Model
    checkpoint: predrnn-v2-tabletop
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from worldmodel.checkpoint import load
from worldmodel.errors import InputError
from worldmodel.model import WorldModel
from worldmodel.rollout import imagine, observe


@final
class VP2Model:
    """What VP2's planners call: a batch of context and actions in, pictures out.

    Args:
        checkpoint: Name of a shipped model, folder of a checkpoint or of a training run; or the
            model itself. It is frozen and put into evaluation mode.
        num_context: Frames K that a prediction starts from, at least 2 in VP2.
        max_batch_size: Candidates imagined side by side; fewer need less memory.
        device: Where to imagine; where the model is if None.

    Attributes:
        model: The world model.
        num_context: As given.
        base_prediction_modality: "rgb", or "depth" for pictures of one channel.
        device: Where gradients and predictions are.

    Raises:
        InputError: There is no such checkpoint or device, a number is out of range, or the model
            is for pictures that VP2 does not have.
    """

    def __init__(
        self,
        checkpoint: str | PathLike[str] | WorldModel,
        num_context: int = 2,
        max_batch_size: int = 200,
        device: str | torch.device | None = None,
    ) -> None:
        if num_context < 2:
            raise InputError(f"num_context: expected at least 2 frames, got {num_context}")
        if max_batch_size < 1:
            raise InputError(f"max_batch_size: expected at least 1, got {max_batch_size}")
        model = checkpoint if isinstance(checkpoint, WorldModel) else load(str(checkpoint)).model
        channels = model.frame_shape[0]
        if channels not in _MODALITIES:
            raise InputError(
                f"model: expected one of pictures with 3 channels (rgb) or 1 (depth), "
                f"got {channels} channels"
            )
        self.model = _moved(model, device).eval().requires_grad_(False)
        self.num_context, self.base_prediction_modality = num_context, _MODALITIES[channels]
        self.device = self.model.device
        self._at_once = max_batch_size

    def __call__(
        self, batch: Mapping[str, Any], grad_enabled: bool = False
    ) -> dict[str, np.ndarray] | dict[str, Tensor]:
        """Predict what each candidate's actions lead to.

        Args:
            batch: `video`, values in [0, 1], shape (N, K, H, W, C), and `actions`, those between
                the context's frames first, shape (N, K-1+T, A); arrays or tensors of any floating
                type. VP2 sends `state_obs` too, which only a simulator needs.
            grad_enabled: Let gradients flow to the actions.

        Returns:
            Pictures in [0, 1] under the name of the modality, shape (N, K-1+T, H, W, C): the frame
            after each action, of which the first K-1 are the context's own. An array, or a tensor
            with `grad_enabled`.

        Raises:
            InputError: A part is missing, is no numbers, has some that are not finite or pixels
                outside [0, 1], or does not fit the model or the other.
        """
        video, actions = self._read(batch)
        parts = zip(video.split(self._at_once), actions.split(self._at_once), strict=True)
        with torch.set_grad_enabled(grad_enabled):
            frames = torch.cat([self._predict(*part) for part in parts]).movedim(2, -1)
        name = self.base_prediction_modality
        return {name: frames} if grad_enabled else {name: frames.cpu().numpy()}

    def close(self) -> None:
        """Nothing to clean up; VP2 calls it at the end."""

    def _read(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Context (N, K, C, H, W) and actions (N, K-1+T, A), where and as the model takes them."""
        if lacking := [name for name in ("video", "actions") if name not in batch]:
            raise InputError(
                f"batch: expected 'video' and 'actions', got {', '.join(map(repr, batch))} "
                f"without {', '.join(map(repr, lacking))}"
            )
        video, actions = (
            _tensor(name, batch[name]).to(self.device, self.model.dtype)
            for name in ("video", "actions")
        )
        if video.ndim != 5 or not len(video) or video.shape[1] != self.num_context:
            raise InputError(
                f"video: expected shape (N, {self.num_context}, H, W, C), got {tuple(video.shape)}"
            )
        if actions.ndim != 3 or len(actions) != len(video) or actions.shape[1] < self.num_context:
            raise InputError(
                f"actions: expected shape (N, K-1+T, A) with N = {len(video)} and "
                f"K-1 = {self.num_context - 1}, got {tuple(actions.shape)}"
            )
        video = video.movedim(-1, 2)
        self.model.check_input(video, actions)
        low, high = (float(limit) for limit in video.detach().aminmax())
        if not 0.0 <= low <= high <= 1.0:
            raise InputError(f"video: expected values in [0, 1], got {low:g} to {high:g}")
        if not torch.isfinite(actions).all():
            raise InputError("actions: expected finite numbers, got some that are not")
        return video, actions

    def _predict(self, video: Tensor, actions: Tensor) -> Tensor:
        """Frames (N, K-1+T, C, H, W) after each action."""
        between = self.num_context - 1
        state = observe(self.model, video, actions[:, :between])
        future = [step.frame for step in imagine(self.model, state, actions[:, between:])]
        return torch.cat([video[:, 1:].float(), torch.stack(future, dim=1)], dim=1)


def _moved(model: WorldModel, device: str | torch.device | None) -> WorldModel:
    """The model on a device; where it is if None."""
    if device is None:
        return model
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:  # AssertionError: built without CUDA
        raise InputError(
            "device: expected one of PyTorch's that is available here, such as 'cpu', "
            f"got {device!r} ({str(error).splitlines()[0]:.80})"
        ) from error
    return model.to(device)


def _tensor(name: str, values: Any) -> Tensor:
    try:
        return torch.as_tensor(values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{name}: expected an array or a tensor of numbers, got {values!r:.80}"
        ) from error


_MODALITIES = {3: "rgb", 1: "depth"}
"""VP2's name of what a picture shows, by its channels."""
