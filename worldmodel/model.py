"""What every architecture is: an initial state, one step, and a latent to look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar, final

import torch
from tensordict import TensorDict
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.action import ActionEncoder, ActionModulation, ActionScale

State = TensorDict
"""Recurrent state; every entry has the batch as its first dimension, so it can be expanded,
indexed and gathered along it without knowing the architecture."""


class ModelConfig(ABC):
    """Options of one architecture; a frozen dataclass per architecture, next to it.

    Attributes:
        paper: Where the architecture was published, as "Authors, Venue".
        year: Year of that publication.
    """

    paper: ClassVar[str]
    year: ClassVar[int]

    @abstractmethod
    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> WorldModel:
        """An untrained model for frames (C, H, W) and actions of width `action_dim`.

        Raises:
            InputError: The architecture cannot take such frames.
        """


Options = TypeVar("Options", bound=ModelConfig)


class WorldModel(nn.Module, ABC, Generic[Options]):
    """An action-conditioned video predictor that moves one frame per step.

    An architecture says how it moves in `transition`, and never sees an action that is not
    encoded: `step`, `sample` and `training_step` see to that, and `worldmodel.rollout`, which
    encodes all actions of a run at once.

    Args:
        frame_shape: Channels, height and width (C, H, W) of a frame, in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Attributes:
        frame_shape: As given.
        action_dim: As given.
        config: As given.
        actions: Normalises actions; None for an action-free model.
        action_encoder: Gives actions features; None for a model that takes their numbers.
        stochastic: Whether the model draws its futures, see `sample`.
    """

    stochastic: ClassVar[bool] = False

    def __init__(self, frame_shape: tuple[int, int, int], action_dim: int, config: Options) -> None:
        super().__init__()
        self.frame_shape, self.action_dim, self._config = frame_shape, action_dim, config
        self.actions = ActionScale(action_dim) if action_dim else None
        self.action_encoder: ActionEncoder | None = None

    @property
    def config(self) -> Options:
        """Options it was built from."""
        return self._config

    @final
    def set_action_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Normalise actions by these from now on; see `ActionScale.set`."""
        if self.actions is not None:
            self.actions.set(mean, std)

    @abstractmethod
    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """State before the first frame, batch size (batch,); on the parameters' device if None."""

    @final
    def step(self, frame: Tensor, action: Tensor, state: State) -> tuple[Tensor, State]:
        """Predict the next frame.

        Args:
            frame: Current frame, values in [0, 1]. Shape (B, C, H, W).
            action: Taken at this frame, in the units of the log. Shape (B, A).
            state: From `initial_state` or the previous step, batch size (B,).

        Returns:
            The next frame, not clipped, shape (B, C, H, W), and the next state.
        """
        return self.transition(frame, self._encoded(action), state)

    @final
    def sample(
        self, frame: Tensor, action: Tensor, state: State, generator: torch.Generator | None
    ) -> tuple[Tensor, State]:
        """Draw a next frame, where `step` takes the most likely; the same unless `stochastic`."""
        return self.sampled_transition(frame, self._encoded(action), state, generator)

    @final
    def training_step(
        self, frame: Tensor, action: Tensor, state: State, target: Tensor
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """`step` and the auxiliary terms of the loss, each a scalar.

        The recorded next frame `target` (B, C, H, W) is for models that infer what the past cannot
        tell.
        """
        return self.training_transition(frame, self._encoded(action), state, target)

    @final
    def encode_actions(self, actions: Tensor) -> Sequence[Any]:
        """Actions (B, T, A), in the units of the log, step by step as `transition` takes them.

        They are normalised, and given features by an `action_encoder`. What the features of all
        steps share is computed once.
        """
        normalised = actions if self.actions is None else self.actions(actions)
        if self.action_encoder is None:
            return normalised.unbind(1)
        modulations = (part for part in self.modules() if isinstance(part, ActionModulation))
        return self.action_encoder(normalised, modulations)

    @abstractmethod
    def transition(self, frame: Tensor, action: Any, state: State) -> tuple[Tensor, State]:
        """What `step` computes, of an encoded action.

        That is normalised, (B, A), or the `ActionFeatures` of a model with an `action_encoder`.
        """

    def sampled_transition(
        self, frame: Tensor, action: Any, state: State, generator: torch.Generator | None
    ) -> tuple[Tensor, State]:
        """What `sample` computes, of an encoded action; `transition` unless overridden."""
        return self.transition(frame, action, state)

    def training_transition(
        self, frame: Tensor, action: Any, state: State, target: Tensor
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """What `training_step` computes, of an encoded action; no terms unless overridden."""
        return *self.transition(frame, action, state), {}

    @abstractmethod
    def latent(self, state: State) -> Tensor:
        """Features for diagnostics, of the top layer. Shape (B, D, h, w)."""

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters."""
        return next(self.parameters()).dtype

    def _encoded(self, action: Tensor) -> Any:
        return self.encode_actions(action[:, None])[0]

    def check_input(self, frames: Tensor, actions: Tensor) -> None:
        """Refuse frames (..., C, H, W) or actions (..., A) that this model was not built for.

        Raises:
            InputError: Names the expected and the given shape.
        """
        if tuple(frames.shape[-3:]) != self.frame_shape:
            raise InputError(
                f"frames: this model expects (C, H, W) = {self.frame_shape}, "
                f"got {tuple(frames.shape[-3:])}"
            )
        if actions.shape[-1] != self.action_dim:
            raise InputError(
                f"actions: this model expects width {self.action_dim}, got {actions.shape[-1]}"
            )


def channels_last(model: WorldModel) -> WorldModel:
    """The model with its 2-D kernels laid out channels last, as convolutions like them best."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    return model
