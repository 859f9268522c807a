"""A world model as a TorchRL environment: what is imagined is what is stepped through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, final

import numpy as np
import torch
from tensordict import TensorDict, TensorDictBase
from tensordict.nn import TensorDictModule
from torch import Tensor
from torchrl.data import Bounded, Composite, OneHot, TensorSpec, Unbounded
from torchrl.data.utils import DEVICE_TYPING
from torchrl.envs import ModelBasedEnvBase

from worldmodel.errors import InputError
from worldmodel.frames import as_frames
from worldmodel.model import State, WorldModel
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.goal_image import GoalImageConfig
from worldmodel.planners.space import ActionSpace, Bounds, Choices
from worldmodel.rollout import imagine

STATE = ("pixels", "recurrent")
"""What a step starts from, beside the action."""

COMPARED = ("goal", "start")
"""What a cost that is given by its options compares with."""


@final
class WorldModelEnv(ModelBasedEnvBase):
    """Steps through what a world model imagines; a TensorDict holds the whole present.

    | entry | what it is | shape |
    | --- | --- | --- |
    | `pixels` | frame as the model predicted it, not clipped | (..., C, H, W) |
    | `recurrent` | the model's state | nested |
    | `goal` | picture to reach, in [0, 1]; only with a `CostConfig` | (..., C, H, W) |
    | `start` | frame of the last `reset`; only with a `CostConfig` | (..., C, H, W) |
    | `action` | in the units of the model | (..., A) |
    | `reward` | minus the cost of the step | (..., 1) |

    Nothing is kept between steps, so TensorDicts of any batch size can be stepped side by side, as
    TorchRL's planners do. An episode never ends by itself. A step has a frame decoded once; when
    a real frame is seen instead, put it in the place of `pixels` and go on from there.

    Gradients are recorded where an action or a state asks for them, never for the model's
    parameters alone.

    Args:
        model: The world model; put into evaluation mode, and moved with the environment.
        actions: What actions there are: `Bounds`, or one-hot `Choices`.
        cost: What the reward is minus of: options of a cost that compares with the `goal` of the
            TensorDict (`GoalImageConfig` if left out), or a finished cost. Every step counts as the
            last.
        frame: What `reset` starts from unless its TensorDict has `pixels`: frames (1, C, H, W) in
            [0, 1], or a picture, uint8 (H, W, C). Black if left out.
        goal: What `reset` puts into `goal` unless its TensorDict has one, in the same form.
        drawn: Draw the frames of a stochastic model, from the generator that `set_seed` seeds,
            instead of taking the most likely ones.
        batch_size: Of the environment; with () every TensorDict is taken.
        device: Where to; that of the model if left out.

    Raises:
        InputError: Actions, frame or goal do not fit the model, a goal was given to a cost that
            is finished, or an argument is of another kind.
    """

    def __init__(
        self,
        model: WorldModel,
        actions: ActionSpace,
        cost: Cost | CostConfig | None = None,
        *,
        frame: Tensor | np.ndarray | None = None,
        goal: Tensor | np.ndarray | None = None,
        drawn: bool = False,
        batch_size: int | Sequence[int] = (),
        device: torch.device | str | None = None,
    ) -> None:
        _check(model, actions, cost)
        if goal is not None and isinstance(cost, Cost):
            raise InputError("goal: expected none beside a finished cost, which has its own")
        pictures = _picture("frame", frame, model), _picture("goal", goal, model)
        size = _size(batch_size)
        super().__init__(
            cast("TensorDictModule", model.eval()),
            device=model.device if device is None else device,
            batch_size=size,
        )
        self._cost, self._drawn = GoalImageConfig() if cost is None else cost, drawn
        self._frame, self._goal = (picture.to(self.device) for picture in pictures)
        self._seed, self._generator = 0, None
        self._aim: tuple[Tensor, Cost] | None = None
        self._declare(model, actions, size)

    def _declare(self, model: WorldModel, actions: ActionSpace, size: torch.Size) -> None:
        shape = torch.Size((*size, *model.frame_shape))
        pixels = Unbounded(shape, dtype=model.dtype, device=self.device)
        entries = {"pixels": pixels, "recurrent": _declared(model, size)}
        if self._compares:
            picture = Bounded(0.0, 1.0, shape, self.device, torch.float32)
            entries.update({key: picture.clone() for key in COMPARED})
        self.observation_spec = Composite(entries, shape=size)
        self.state_spec = self.observation_spec.clone()
        self.action_spec = _action_spec(actions, size, self.device)
        self.reward_spec = Unbounded(torch.Size((*size, 1)), device=self.device)

    @property
    def model(self) -> WorldModel:
        """The world model."""
        return cast("WorldModel", self.world_model)

    @property
    def _compares(self) -> bool:
        """Whether the goal is in the TensorDict."""
        return isinstance(self._cost, CostConfig)

    def to(self, device: DEVICE_TYPING) -> WorldModelEnv:
        """This environment, on another device with its model."""
        super().to(device)
        self._frame, self._goal = self._frame.to(self.device), self._goal.to(self.device)
        self._generator = self._aim = None
        return self

    def _reset(self, tensordict: TensorDictBase | None, **_: Any) -> TensorDictBase:
        given = TensorDict({}, self.batch_size) if tensordict is None else tensordict
        size = given.batch_size
        frame = self._given(given, "pixels", self._frame)
        recurrent = self.model.initial_state(size.numel(), self.device)
        present = {"pixels": frame.to(self.model.dtype), "recurrent": recurrent.reshape(size)}
        if self._compares:
            present["goal"] = self._given(given, "goal", self._goal)
            present["start"] = frame.float()
        return TensorDict(present, size, device=self.device)

    def _given(self, given: TensorDictBase, key: str, otherwise: Tensor) -> Tensor:
        size = given.batch_size
        if (picture := given.get(key, None)) is None:
            return otherwise.expand(*size, -1, -1, -1)
        if picture.shape != (*size, *otherwise.shape) or not picture.is_floating_point():
            raise InputError(
                f"{key}: expected floating-point frames of shape {(*size, *otherwise.shape)}, "
                f"got {picture.dtype} {tuple(picture.shape)}"
            )
        low, high = (float(limit) for limit in picture.detach().aminmax())
        if not 0.0 <= low <= high <= 1.0:
            raise InputError(f"{key}: expected values in [0, 1], got {low:g} to {high:g}")
        return picture.to(self.device)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        size = tensordict.batch_size
        compared = COMPARED if self._compares else ()
        now = tensordict.select(*STATE, "action", *compared).reshape(size.numel())
        self.model.check_input(now["pixels"], now["action"])
        wanted = any(value.requires_grad for value in now.values(True, True))
        with torch.set_grad_enabled(wanted and torch.is_grad_enabled()):
            state = State({"frame": now["pixels"], "recurrent": now["recurrent"]}, now.batch_size)
            generator = self._source() if self._drawn else None
            step = next(imagine(self.model, state, now["action"][:, None], generator))
            reward = -self._cost_of(now)(step)[:, None]
        seen, recurrent = step.state["frame"], step.state["recurrent"]
        after = {"pixels": seen, "recurrent": recurrent, "reward": reward}
        after.update({key: now[key] for key in compared})
        return TensorDict(after, now.batch_size, device=self.device).reshape(size)

    def _cost_of(self, now: TensorDictBase) -> Cost:
        """What compares with goals and starts; built again only when one of them changes."""
        if isinstance(self._cost, Cost):
            return self._cost
        pair = torch.stack([now[key] for key in COMPARED])
        if torch.equal(pair, pair[:, :1].expand_as(pair)):  # as for all candidates of a plan
            pair = pair[:, :1]
        if self._aim is None or not torch.equal(self._aim[0], pair):
            goal, start = pair
            self._aim = pair, self._cost.build(Scene(goal[:, None], start, (self.model,)))
        return self._aim[1]

    def _source(self) -> torch.Generator:
        """What draws the frames of a stochastic model."""
        if self._generator is None:
            self._generator = torch.Generator(self.device).manual_seed(self._seed)
        return self._generator

    def _set_seed(self, seed: int | None) -> None:
        self._seed, self._generator = torch.seed() if seed is None else seed, None


def _check(model: WorldModel, actions: object, cost: object) -> None:
    """Refuse actions that do not fit a model, and what is neither actions nor a cost."""
    if not isinstance(actions, (Bounds, Choices)):
        raise InputError(f"actions: expected `Bounds`, or one-hot `Choices`, got {actions!r:.80}")
    if actions.width != model.action_dim:
        raise InputError(
            f"actions: this model expects width {model.action_dim}, got {actions.width}"
        )
    if cost is not None and not isinstance(cost, (Cost, CostConfig)):
        raise InputError(
            "cost: expected a `Cost`, or options of one such as `GoalImageConfig()`, "
            f"got {cost!r:.80}"
        )


def _size(given: int | Sequence[int]) -> torch.Size:
    """A batch size; a number is that of one dimension."""
    sizes = list(given) if isinstance(given, Sequence) else [given]
    if any(not isinstance(size, int) or size < 1 for size in sizes):
        raise InputError(f"batch_size: expected whole numbers of at least 1, got {given}")
    return torch.Size(sizes)


def _picture(what: str, given: Tensor | np.ndarray | None, model: WorldModel) -> Tensor:
    """One frame (C, H, W); black if none is given."""
    if given is None:
        return torch.zeros(model.frame_shape)
    frames = as_frames(given)
    if frames.shape != (1, *model.frame_shape):
        raise InputError(
            f"{what}: this model expects (1, C, H, W) = {(1, *model.frame_shape)}, "
            f"got {tuple(frames.shape)}"
        )
    return frames[0]


def _action_spec(actions: ActionSpace, size: torch.Size, device: torch.device) -> TensorSpec:
    if isinstance(actions, Bounds):
        low, high = (limit.to(device).expand(*size, -1) for limit in (actions.low, actions.high))
        return Bounded(low, high, device=device, dtype=low.dtype)
    one_hot = torch.eye(actions.width).to(actions.actions)
    if not torch.equal(actions.actions, one_hot):
        raise InputError("actions: expected `Bounds`, or one-hot `Choices`, got other choices")
    shape = torch.Size((*size, actions.width))
    return OneHot(actions.width, shape, device, actions.actions.dtype)


def _declared(model: WorldModel, size: torch.Size) -> Composite:
    """What a model's state consists of; what grows from step to step has a dimension of -1."""
    with torch.no_grad():
        before = model.initial_state(1)
        frame = torch.zeros(1, *model.frame_shape, device=model.device, dtype=model.dtype)
        _, after = model.step(frame, frame.new_zeros(1, model.action_dim), before)
    entries = {}
    for key, value in after.items(True, True):
        same = zip(value.shape[1:], before[key].shape[1:], strict=True)
        shape = (*size, *(now if now == then else -1 for now, then in same))
        entries[key] = Unbounded(torch.Size(shape), dtype=value.dtype, device=model.device)
    return Composite(entries, shape=size, device=model.device)
