"""What models are timed at: a training step, and imagining candidates after a context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from cases import ACTIONS, Case
from measuring import Work

from worldmodel.clip import Clip
from worldmodel.model import State, WorldModel, channels_last
from worldmodel.rollout import imagine, observe, unroll
from worldmodel.training.loss import training_loss

Precision = Literal["float32", "bf16"]
CONTEXT = 2
"""Frames that are seen before candidates are imagined."""


def built(case: Case, device: torch.device) -> WorldModel:
    """The untrained model of a case, its kernels channels last."""
    torch.manual_seed(0)
    return channels_last(case.config.build(case.frame, ACTIONS).to(device))


def random_clip(case: Case, batch: int, length: int, device: torch.device) -> Clip:
    """Noise in the shapes of a case, the same numbers on every device."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(batch, length, *case.frame, generator=generator)
    actions = torch.randn(batch, length - 1, ACTIONS, generator=generator)
    return Clip.checked(frames.to(device), actions.to(device))


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """bf16 autocast, or none."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def finished(work: Work, device: torch.device) -> Work:
    """A work that returns only when the accelerator is done."""
    if device.type != "cuda":
        return work

    def waited() -> None:
        work()
        torch.cuda.synchronize(device)

    return waited


def training_step(case: Case, precision: Precision, device: torch.device) -> Work:
    """Forward, backward and Adam's update, all frames given."""
    model = built(case, device).train()
    clip = random_clip(case, case.batch, case.length, device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    mask = torch.ones(case.batch, case.length - 1, dtype=torch.bool, device=device)

    def step() -> None:
        with autocast(device, precision):
            predictions, terms = unroll(model, clip, mask)
            loss = training_loss(predictions, clip, terms, 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return finished(step, device)


@final
@dataclass(frozen=True)
class Candidates:
    """Futures that are imagined side by side from one state.

    Attributes:
        model: Imagines them.
        state: The present, once per candidate; batch size (N,).
        actions: Theirs. Shape (N, T, A).
        precision: Number format.
    """

    model: WorldModel
    state: State
    actions: torch.Tensor
    precision: Precision

    @torch.no_grad()
    def __call__(self) -> torch.Tensor:
        """Their frames. Shape (N, T, C, H, W)."""
        with autocast(self.actions.device, self.precision):
            future = imagine(self.model, self.state, self.actions)
            return torch.stack([step.frame for step in future], dim=1)


def candidates(
    model: WorldModel, case: Case, precision: Precision, device: torch.device
) -> Candidates:
    """Random candidates after a random context, which is encoded once."""
    seen = random_clip(case, 1, CONTEXT, device)
    actions = random_clip(case, case.candidates, case.horizon + 1, device).actions
    with torch.no_grad(), autocast(device, precision):
        state = observe(model, seen.frames, seen.actions).expand(case.candidates)
    return Candidates(model, state, actions, precision)


def imagination(case: Case, precision: Precision, device: torch.device) -> Work:
    """From the context to the frames of all candidates."""
    model = built(case, device).eval()

    def search() -> torch.Tensor:
        drawn = candidates(model, case, precision, device)
        return drawn()

    return finished(search, device)
