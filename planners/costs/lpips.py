"""LPIPS: how different two pictures look to a network that has learned to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.models.published.state_dict import read_state_dict
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import by_environment, device_of

SMALLEST = 31
"""Side in pixels below which AlexNet's last feature maps have no position left."""

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
"""What the authors' code takes from values in [-1, 1], and divides them by."""

_LAYERS = {0: (3, 64, 11, 4, 2), 3: (64, 192, 5, 1, 2), 6: (192, 384, 3, 1, 1)} | {
    8: (384, 256, 3, 1, 1),
    10: (256, 256, 3, 1, 1),
}
"""Convolutions by their number in torchvision's AlexNet: inputs, outputs, kernel, stride, padding
(Krizhevsky, 2014)."""

_POOLED = (3, 6)
"""Convolutions before which 3 x 3 maxima are taken at every second position."""

_SMALL = 1e-10
"""The authors' addition to the length of a feature, against division by 0."""


@final
@dataclass(frozen=True)
class LPIPSConfig(CostConfig):
    """Options of `LPIPS`; the weights are not ours to ship.

    Attributes:
        backbone: File of AlexNet's weights: torchvision's `alexnet-owt-*.pth`, or the whole state
            dict of the authors' LPIPS; `.pth`, `.pt` or `.safetensors`.
        linear: File of the weights of the five layers: the authors' `alex.pth` of version 0.1, or
            again their whole state dict.
    """

    backbone: str
    linear: str

    def build(self, scene: Scene) -> LPIPS:
        """See `CostConfig.build`."""
        features = AlexNetFeatures.read(self.backbone).to(device_of(scene))
        return LPIPS(scene.goal, features, read_linear(self.linear))


@final
class AlexNetFeatures(nn.Module):
    """AlexNet's five feature maps, each after its rectifier (Krizhevsky, 2014; torchvision's)."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict(
            {str(number): nn.Conv2d(*shape) for number, shape in _LAYERS.items()}
        )

    @classmethod
    def read(cls, file: Path | str) -> AlexNetFeatures:
        """The network with weights from a file; see `LPIPSConfig.backbone`.

        Raises:
            InputError: The file is missing or damaged, or its weights are not AlexNet's.
        """
        weights = {}
        for name, value in read_state_dict(file).items():
            *place, number, kind = name.split(".")
            if place and (place[0] == "features" or place[-1].startswith("slice")):
                weights[f"convolutions.{number}.{kind}"] = value
        network = cls()
        _load(network, weights, file, "AlexNet's features (features.0.weight and so on)")
        return network.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps (B, D, h, w), D = 64, 192, 384, 256, 256, of scaled pictures."""
        maps = []
        for number, convolution in self.convolutions.items():
            if int(number) in _POOLED:
                x = nn.functional.max_pool2d(x, kernel_size=3, stride=2)
            x = convolution(x).relu()
            maps.append(x)
        return maps


def read_linear(file: Path | str) -> list[Tensor]:
    """Weights of each layer's channels from a file; see `LPIPSConfig.linear`.

    Returns:
        Five of shape (D,), at least 0 in the authors' files.

    Raises:
        InputError: The file is missing or damaged, or its weights do not fit AlexNet's maps.
    """
    stored = read_state_dict(file)
    weights = []
    for layer, (_, width, *_) in enumerate(_LAYERS.values()):
        names = f"lin{layer}.model.1.weight", f"lins.{layer}.model.1.weight"
        found = next((stored[name] for name in names if name in stored), None)
        if found is None or found.numel() != width:
            came = "none" if found is None else f"shape {tuple(found.shape)}"
            raise InputError(
                f"{file}: expected {names[0]} of {width} numbers, as in the authors' alex.pth, "
                f"got {came}"
            )
        weights.append(found.flatten().float())
    return weights


@final
class LPIPS(Cost):
    """LPIPS to the goal (Zhang et al., CVPR 2018; version 0.1 with AlexNet), at least 0.

    At every layer the features of both pictures are divided by their length, and the squared
    differences are weighted by channel, added, and averaged over the positions; the five layers
    are added. Pictures enter at their own size, as in the authors' code; gray is repeated.

    Args:
        goal: Values in [0, 1], of at least 31 x 31 pixels. Shape (E, C, H, W).
        features: AlexNet with trained weights, where the frames are to be compared.
        linear: Weights of each layer's channels.

    Raises:
        InputError: The picture is too small for AlexNet.
    """

    def __init__(self, goal: Tensor, features: AlexNetFeatures, linear: list[Tensor]) -> None:
        if min(goal.shape[-2:]) < SMALLEST:
            raise InputError(
                f"lpips: expected pictures of at least {SMALLEST} x {SMALLEST} pixels, which "
                f"AlexNet needs, got {goal.shape[-2]} x {goal.shape[-1]}"
            )
        self._network, self._shape = features, goal.shape[1:]
        self._device = next(features.parameters()).device
        self._linear = [weights.to(self._device) for weights in linear]
        with torch.no_grad():
            self._goal = self._features(goal)

    def __call__(self, imagined: Imagined) -> Tensor:
        """See `Cost.__call__`.

        Raises:
            InputError: The frame has another shape than the goal, or the batch is no multiple of E.
        """
        frame = imagined.frame
        if frame.shape[1:] != self._shape:
            raise InputError(
                f"frame: expected shape {tuple(self._shape)} like the goal, "
                f"got {tuple(frame.shape[1:])}"
            )
        total = torch.zeros(len(frame), device=self._device)
        maps = self._features(frame)
        for ours, goal, weights in zip(maps, self._goal, self._linear, strict=True):
            away = (by_environment(ours, len(goal)) - goal[:, None]).flatten(0, 1)
            weighted = torch.einsum("bdhw,d->bhw", away.square(), weights)
            total = total + weighted.mean((1, 2))
        return total.to(frame.device)

    def _features(self, frames: Tensor) -> list[Tensor]:
        """Feature maps of length 1 at every position."""
        colored = frames.to(self._device).expand(-1, 3, -1, -1)
        shift, scale = (colored.new_tensor(numbers)[:, None, None] for numbers in (_SHIFT, _SCALE))
        return [_normalised(maps) for maps in self._network((2 * colored - 1 - shift) / scale)]


def _normalised(maps: Tensor) -> Tensor:
    squared = maps.square().sum(1, keepdim=True)
    return maps / (squared.clamp_min(_SMALL**2).sqrt() + _SMALL)  # the root has no slope at 0


def _load(
    network: nn.Module, weights: Mapping[str, Tensor], file: Path | str, expected: str
) -> None:
    try:
        network.load_state_dict(dict[str, Any](weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file}: expected {expected}, got others ({reason:.300})") from error
