"""A little world that a model really knows: a spot on a torus that actions move."""

import math
from dataclasses import dataclass

import torch

from worldmodel.model import ModelConfig, State, WorldModel
from worldmodel.planners.foresight import ModelForesight
from worldmodel.planners.space import Bounds

BOUNDS = Bounds(torch.full((2,), -0.5), torch.full((2,), 0.5))
TURN = torch.arange(16.0) * math.tau / 16


def spot(position):
    """A spot at (x, y) pixels on a torus; positions (..., 2) to frames (..., 1, 16, 16)."""
    angle = position * math.tau / 16
    x, y = (torch.exp(2 * torch.cos(TURN - angle[..., i, None]) - 2) for i in (0, 1))
    return (y[..., :, None] * x[..., None, :])[..., None, :, :]


def place(frame):
    """Where the spot is, exactly: frames (..., 1, 16, 16) to positions (..., 2)."""
    profiles = torch.stack([frame.sum((-3, axis)) for axis in (-2, -1)], dim=-2)
    return torch.atan2(profiles @ TURN.sin(), profiles @ TURN.cos()) * 16 / math.tau


@dataclass(frozen=True)
class SpotConfig(ModelConfig):
    def build(self, frame_shape, action_dim):
        return SpotModel()


class SpotModel(WorldModel):
    """An action moves the spot by ten times itself, in pixels, and less with every step."""

    def __init__(self):
        super().__init__((1, 16, 16), 2, SpotConfig())
        self.grip = torch.nn.Parameter(torch.ones(()))
        self.batches: list[int] = []

    def initial_state(self, batch, device=None):
        return State({"steps": torch.zeros(batch, 1)}, batch_size=[batch])

    def transition(self, frame, action, state):
        self.batches.append(len(frame))
        moved = spot(place(frame) + 10 * self.grip * action * 0.9 ** state["steps"])
        return moved, State({"steps": state["steps"] + 1}, batch_size=state.batch_size)

    def latent(self, state):
        return state["steps"][:, :, None, None]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def seeing(model, frame):
    """A model's foresight that has seen a first frame."""
    foresight = ModelForesight(model)
    foresight.reset(frame)
    return foresight


def frames_of(imagined):
    """(B, T, C, H, W)."""
    return torch.stack([step.frame for step in imagined], dim=1)


def positions(*pairs):
    return torch.tensor(pairs)
