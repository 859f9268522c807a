"""Every registered cost, ready to build: recordings, weights and models in small."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from worldmodel.envs.collect import CollectConfig, collect
from worldmodel.imagined import Imagined
from worldmodel.model import State, WorldModel
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.success_classifier import (
    ClassifierCard,
    SuccessNetwork,
    save_classifier,
)
from worldmodel.rollout import begin, imagine

SIDE = 32
CONVOLUTIONS = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3)} | {
    10: (256, 256, 3)
}


class Things(NamedTuple):
    """Files that some costs need, and two models of the same frames and actions."""

    recordings: str
    backbone: str
    linear: str
    classifier: str
    models: tuple[WorldModel, WorldModel]


def things(folder: Path) -> Things:
    recordings = folder / "recordings"
    collect(CollectConfig(recordings, recordings=4, frames=14, size=SIDE, domains=("ash",)))
    backbone, linear = lpips_weights()
    torch.save(backbone, folder / "alexnet.pth")
    torch.save(linear, folder / "alex.pth")
    save_classifier(
        folder / "classifier",
        SuccessNetwork(3),
        ClassifierCard((3, SIDE, SIDE), 0.5, 0.7, 4, 4, 2, 1, 0),
    )
    return Things(
        str(recordings),
        str(folder / "alexnet.pth"),
        str(folder / "alex.pth"),
        str(folder / "classifier"),
        (mode_rnn(0), mode_rnn(1)),
    )


def lpips_weights() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random weights as torchvision's AlexNet and the authors' linear layers are stored."""
    generator = torch.Generator().manual_seed(3)
    backbone = {"classifier.1.weight": torch.zeros(2, 2)}
    for number, (outputs, inputs, kernel) in CONVOLUTIONS.items():
        shape = outputs, inputs, kernel, kernel
        spread = (2 / (inputs * kernel**2)) ** 0.5
        backbone[f"features.{number}.weight"] = torch.randn(shape, generator=generator) * spread
        backbone[f"features.{number}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    linear = {
        f"lin{layer}.model.1.weight": torch.rand(1, outputs, 1, 1, generator=generator)
        for layer, (outputs, _, _) in enumerate(CONVOLUTIONS.values())
    }
    return backbone, linear


def mode_rnn(seed: int) -> WorldModel:
    torch.manual_seed(seed)
    return (
        ModeRNNConfig(layers=1, hidden=8, kernel=1, patch=8, slots=2)
        .build((3, SIDE, SIDE), 2)
        .eval()
    )


def options_of(at_hand: Things) -> dict[str, dict[str, Any]]:
    """Options of every cost, as YAML would hold them."""
    return {
        "goal-image": {"scales": [1, 4], "crop": [0.0, 0.25, 1.0, 1.0], "changed": 0.01},
        "background-weighted": {"recordings": at_hand.recordings, "scales": [1, 4], "clips": 20},
        "goal-sequence": {"options": {"scales": [1, 4]}},
        "goal-latent": {"pool": 2},
        "lpips": {"backbone": at_hand.backbone, "linear": at_hand.linear},
        "designated-pixel": {"pixel": [[10, 12], [20, 9]], "goal": [[3, 4], [8, 8]], "radius": 4},
        "success-classifier": {"classifier": at_hand.classifier},
        "region-change": {"region": [0.0, 0.0, 0.5, 1.0]},
        "disagreement": {},
        "slot-bus": {"recordings": at_hand.recordings, "clusters": 3, "clips": 4},
        "action-penalty": {},
        "smoothness": {},
        "weighted-sum": {
            "of": {"goal-image": {"weight": 0.5, "scales": [4]}, "action-penalty": 0.1}
        },
    }


def scene(at_hand: Things, environments: int = 3, subgoals: int = 2) -> Scene:
    generator = torch.Generator().manual_seed(11)
    pictures = torch.rand(environments, subgoals + 1, 3, SIDE, SIDE, generator=generator)
    return Scene(pictures[:, 1:], pictures[:, 0], at_hand.models)


def alone(whole: Scene, environment: int) -> Scene:
    chosen = slice(environment, environment + 1)
    return replace(whole, goals=whole.goals[chosen], start=whole.start[chosen])


def candidates(environments: int = 3, count: int = 2, horizon: int = 2) -> Tensor:
    """Actions (E, N, T, A)."""
    generator = torch.Generator().manual_seed(12)
    return torch.rand(environments, count, horizon, 2, generator=generator) * 2 - 1


def future(at_hand: Things, start: Tensor, actions: Tensor) -> Iterator[Imagined]:
    """What two models imagine of actions (E, N, T, A); the first one's states and latents."""
    flat = actions.flatten(0, 1)
    streams = []
    for model in at_hand.models:
        state = begin(model, start.repeat_interleave(actions.shape[1], 0))
        streams.append(imagine(model, state, flat))
    for members in zip(*streams, strict=True):
        first = members[0]
        yield Imagined(
            first.t,
            first.actions,
            first.state,
            frame=lambda first=first: first.frame,
            latent=lambda first=first: first.latent,
            members=members,
        )


def snapshot(step: Imagined) -> list[Tensor]:
    """Copies of all that a cost is shown."""
    state: State = step.state
    kept = state.flatten_keys()
    tensors = [step.actions, step.frame, step.latent, *(kept[key] for key in kept.keys())]  # noqa: SIM118
    return [tensor.detach().clone() for tensor in tensors]
