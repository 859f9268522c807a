"""The only time loop: observe a context, imagine a future, and the pass that training takes.

A rollout's state carries the frame that the next step starts from beside the model's recurrent
state: `{"frame": (B, C, H, W), "recurrent": State}`. It expands, indexes and gathers like any
State.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from worldmodel.clip import Clip, check_context
from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.model import State, WorldModel


def begin(model: WorldModel, frame: Tensor) -> State:
    """State of a rollout at its first frame. Shape of `frame`: (B, C, H, W)."""
    return _state(frame, model.initial_state(frame.shape[0], frame.device))


def advance(model: WorldModel, state: State, action: Tensor, frame: Tensor) -> State:
    """State after `action` (B, A) really led to `frame` (B, C, H, W)."""
    _, recurrent = model.step(state["frame"], action, state["recurrent"])
    return _state(frame, recurrent)


def observe(model: WorldModel, frames: Tensor, actions: Tensor) -> State:
    """Encode a context once.

    Args:
        model: The world model.
        frames: Context, values in [0, 1]. Shape (B, K, C, H, W).
        actions: Between the context's frames, in the units of the log. Shape (B, K-1, A).

    Raises:
        InputError: Frames or actions do not fit the model or each other.
    """
    model.check_input(frames, actions)
    if actions.shape[1] != frames.shape[1] - 1:
        raise InputError(
            f"actions: a context of {frames.shape[1]} frames has {frames.shape[1] - 1} actions "
            f"between them, got {actions.shape[1]}"
        )
    state = begin(model, frames[:, 0])
    for t, action in enumerate(model.encode_actions(actions)):
        _, recurrent = model.transition(state["frame"], action, state["recurrent"])
        state = _state(frames[:, t + 1], recurrent)
    return state


def foresee(
    model: WorldModel, state: State, action: Tensor, generator: torch.Generator | None = None
) -> State:
    """One step of imagination: the state after an action, whose frame the model predicts.

    Args:
        model: The world model.
        state: From `observe` or the step before, batch size (B,).
        action: In the units of the log. Shape (B, A).
        generator: Draws the frame of a stochastic model, on its device; the most likely frame is
            taken if left out.
    """
    return _foreseen(model, state, model.encode_actions(action[:, None])[0], generator)


def imagine(
    model: WorldModel, state: State, actions: Tensor, generator: torch.Generator | None = None
) -> Iterator[Imagined]:
    """Yield each step of the future that actions (B, T, A) lead to, fed by its own predictions.

    A state's frame is as the model predicted it; `Imagined.frame` is clipped to [0, 1]. See
    `foresee` for the arguments.
    """
    for t, action in enumerate(model.encode_actions(actions)):
        state = _foreseen(model, state, action, generator)
        yield Imagined(
            t,
            actions,
            state,
            frame=partial(_clipped, state),
            latent=partial(_latent, model, state),
        )


def _foreseen(
    model: WorldModel, state: State, action: Any, generator: torch.Generator | None
) -> State:
    """`foresee` of an encoded action."""
    before = (state["frame"], action, state["recurrent"])
    if generator is None:
        return _state(*model.transition(*before))
    return _state(*model.sampled_transition(*before, generator))


def _state(frame: Tensor, recurrent: State) -> State:
    return State({"frame": frame, "recurrent": recurrent}, batch_size=recurrent.batch_size)


def _clipped(state: State) -> Tensor:
    return state["frame"].float().clamp(0.0, 1.0).contiguous()


def _latent(model: WorldModel, state: State) -> Tensor:
    return model.latent(state["recurrent"])


def predict(model: WorldModel, clip: Clip, context: int) -> Tensor:
    """Predict what follows the first `context` frames of a clip.

    Returns:
        Predictions of frames context..T-1, not clipped. Shape (B, T-context, C, H, W).

    Raises:
        InputError: The context is not shorter than the clip, or the clip does not fit the model.
    """
    check_context(context, clip.frames.shape[1])
    state = observe(model, clip.frames[:, :context], clip.actions[:, : context - 1])
    future = imagine(model, state, clip.actions[:, context - 1 :])
    return torch.stack([step.state["frame"] for step in future], dim=1)


def unroll(
    model: WorldModel, clip: Clip, sampling_mask: Tensor, checkpointing: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """One-step predictions over a whole clip, as training sees them.

    Args:
        model: The world model.
        clip: Frames (B, T, C, H, W) and actions (B, T-1, A).
        sampling_mask: True where a step takes the recorded frame, False where it takes its own
            previous prediction. Shape (B, T-1); step 0 always takes the recorded frame.
        checkpointing: Keep the states of the steps alone for the gradient, and compute the rest a
            second time: a third more work for a fraction of the memory.

    Returns:
        Predictions of frames 1..T-1, shape (B, T-1, C, H, W), and the auxiliary terms of the loss,
        each averaged over the steps.

    Raises:
        InputError: The mask's shape does not fit, or the clip does not fit the model.
    """
    frames, actions = clip.frames, clip.actions
    model.check_input(frames, actions)
    if sampling_mask.shape != actions.shape[:2]:
        raise InputError(
            f"sampling_mask: expected shape (B, T-1) = {tuple(actions.shape[:2])}, "
            f"got {tuple(sampling_mask.shape)}"
        )
    truth = sampling_mask.bool()[:, :, None, None, None]
    state = model.initial_state(frames.shape[0], frames.device)
    step = model.training_transition
    if checkpointing:
        step = partial(checkpoint, step, use_reentrant=False)
    predictions: list[Tensor] = []
    auxiliaries: dict[str, list[Tensor]] = {}
    for t, action in enumerate(model.encode_actions(actions)):
        source = (
            torch.where(truth[:, t], frames[:, t], predictions[-1]) if predictions else frames[:, 0]
        )
        frame, state, terms = step(source, action, state, frames[:, t + 1])
        predictions.append(frame)
        for name, value in terms.items():
            auxiliaries.setdefault(name, []).append(value)
    averaged = {name: torch.stack(values).mean() for name, values in auxiliaries.items()}
    return torch.stack(predictions, dim=1), averaged
