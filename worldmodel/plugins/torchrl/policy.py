"""Visual foresight as a TorchRL policy in a real environment."""

from __future__ import annotations

from typing import final

import torch
from tensordict import NestedKey, TensorDictBase
from tensordict.nn import TensorDictModuleBase
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.planners.agent import VisualMPC
from worldmodel.plugins.torchrl.frames import to_frames


@final
class MPCPolicy(TensorDictModuleBase):
    """An agent that reads what is seen and the goal picture, and writes the next action.

    It keeps the model's state from call to call, so that each frame is encoded once: it must be
    called at every step of its environments, and its actions must be carried out. An episode
    begins where `is_init` is true (TorchRL's `InitTracker` writes it, `goal_env` has one), and at
    the first call; then the goal is read.

    Args:
        agent: Plans, from frames of the size that the environment shows.
        pixels: Where the pictures are: uint8, (..., H, W, C) or (..., C, H, W), or floating point
            in [0, 1]. All of the batch are planned for side by side.
        goal: Where the goal pictures are, in the same form.
        action: Where the action goes, in the units of the model.
        seed: Of all randomness; episode k has seed + k.
    """

    def __init__(
        self,
        agent: VisualMPC,
        pixels: NestedKey = "pixels",
        goal: NestedKey = "goal",
        action: NestedKey = "action",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.in_keys = [pixels, goal]  # pyright: ignore[reportAttributeAccessIssue]
        self.out_keys = [action]  # pyright: ignore[reportAttributeAccessIssue]
        self._agent, self._pixels, self._goal, self._action = agent, pixels, goal, action
        self.reset(seed)

    def reset(self, seed: int = 0) -> None:
        """Begin anew: the next call is the first of an episode."""
        self._seed, self._environments = seed, 0

    @torch.no_grad()
    def forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        """The same TensorDict with actions (..., A).

        Raises:
            InputError: A picture is missing or none, it does not fit the model, or some of several
                environments begin an episode and others do not.
        """
        frames = self._frames(tensordict, self._pixels)
        if self._begins(tensordict):
            self._agent.reset(self._frames(tensordict, self._goal), self._seed)
            self._seed, self._environments = self._seed + 1, len(frames)
        action = self._agent.act(frames).reshape(*tensordict.batch_size, -1)
        return tensordict.set(self._action, action.to(frames.device))

    def _begins(self, tensordict: TensorDictBase) -> bool:
        if self._environments != tensordict.batch_size.numel():
            return True
        started = tensordict.get("is_init", None)
        if started is None or not started.any():
            return False
        if not started.all():
            raise InputError(
                f"is_init: expected all {started.numel()} environments to begin together, "
                f"{int(started.sum())} do; let each have a policy of its own"
            )
        return True

    def _frames(self, tensordict: TensorDictBase, key: NestedKey) -> Tensor:
        """Frames (E, C, H, W) in [0, 1]."""
        pictures = tensordict.get(key, None)
        if not isinstance(pictures, Tensor):
            raise InputError(f"policy: expected pictures in {key!r}, got {type(pictures).__name__}")
        frames = to_frames(pictures, str(key))
        return frames.reshape(tensordict.batch_size.numel(), *frames.shape[-3:])
