"""How unlikely it is, to a classifier of pictures, that a task is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, softplus

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.output_folder import check_empty, check_writable
from worldmodel.planners.cost import Cost, CostConfig, Scene
from worldmodel.planners.costs.futures import device_of

WEIGHTS, CARD = "classifier.safetensors", "classifier.yaml"
"""Files of a classifier's folder."""

_WIDTHS = (16, 32, 64)
_GRID = 4


@final
@dataclass(frozen=True)
class SuccessClassifierConfig(CostConfig):
    """Options of `SuccessClassifier`.

    Attributes:
        classifier: Folder that `worldmodel train-classifier` wrote.
    """

    classifier: str

    def build(self, scene: Scene) -> SuccessClassifier:
        """See `CostConfig.build`."""
        network, card = load_classifier(self.classifier)
        if tuple(scene.start.shape[1:]) != card.frame_shape:
            raise InputError(
                f"classifier: {self.classifier} was trained on frames of (C, H, W) = "
                f"{card.frame_shape}, these have {tuple(scene.start.shape[1:])}"
            )
        device = device_of(scene)
        network.to(device)
        return SuccessClassifier(lambda frames: network(frames.to(device)).to(frames.device))


@final
class SuccessClassifier(Cost):
    """-log p(success) of what is seen, to a classifier that has learned what done looks like.

    Examples tell a goal whatever the scene (Fu et al., "Variational inverse control with events",
    NeurIPS 2018).

    Args:
        logits: From frames (B, C, H, W) in [0, 1] to the logit of success of each, shape (B,).
    """

    def __init__(self, logits: Callable[[Tensor], Tensor]) -> None:
        self._logits = logits

    def __call__(self, imagined: Imagined) -> Tensor:
        """At least 0; see `Cost.__call__`.

        Raises:
            InputError: The classifier does not give one number per frame.
        """
        frame = imagined.frame
        logits = self._logits(frame)
        if logits.shape != frame.shape[:1]:
            raise InputError(
                f"classifier: expected logits of shape (B,) = ({len(frame)},), "
                f"got {tuple(logits.shape)}"
            )
        return softplus(-logits)


@final
@dataclass(frozen=True)
class ClassifierCard:
    """What a classifier was trained on, and how good it is.

    Attributes:
        frame_shape: Channels, height and width (C, H, W).
        accuracy: Share of the held-out pictures that it tells right, in [0, 1].
        balanced_loss: Cross-entropy of the held-out pictures in nats, done and not done counting
            the same.
        done: Pictures in which the task is done, the held-out ones included.
        not_done: Pictures in which it is not, likewise.
        held_out: Pictures that were held out.
        epochs: Passes over the others after which it was best.
        seed: Of everything random.
    """

    frame_shape: tuple[int, int, int]
    accuracy: float
    balanced_loss: float
    done: int
    not_done: int
    held_out: int
    epochs: int
    seed: int


@final
class SuccessNetwork(nn.Module):
    """Three strided convolutions and a linear layer of their 4 x 4 means.

    Args:
        channels: C of the frames.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((channels, *_WIDTHS), _WIDTHS, strict=False):
            convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
            layers += [convolution, nn.GroupNorm(4, outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(_WIDTHS[-1] * _GRID**2, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Logit of success of frames (B, C, H, W) in [0, 1]. Shape (B,)."""
        maps = self.features(2 * frames - 1)
        return self.head(adaptive_avg_pool2d(maps, _GRID).flatten(1))[:, 0]


def save_classifier(folder: Path | str, network: SuccessNetwork, card: ClassifierCard) -> None:
    """Write a classifier; the folder appears only when it is complete.

    Raises:
        InputError: The folder cannot be written or holds something.
    """
    folder = Path(folder)
    check_writable(folder)
    check_empty(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        new = Path(scratch, "new")
        new.mkdir()
        save_file(network.state_dict(), new / WEIGHTS)
        described = asdict(card) | {"frame_shape": list(card.frame_shape)}
        (new / CARD).write_text(yaml.safe_dump(described, sort_keys=False))
        os.replace(new, folder)


def load_classifier(folder: Path | str) -> tuple[SuccessNetwork, ClassifierCard]:
    """Read a classifier, in evaluation mode; nothing in it is executed.

    Raises:
        InputError: A file is missing or damaged.
    """
    folder = Path(folder)
    for file in (WEIGHTS, CARD):
        if not (folder / file).is_file():
            raise InputError(
                f"{folder}: no classifier, {file} is missing; "
                "`worldmodel train-classifier` writes one"
            )
    try:
        content = yaml.safe_load((folder / CARD).read_text())
        channels, height, width = content["frame_shape"]
        card = ClassifierCard(**content | {"frame_shape": (channels, height, width)})
        network = SuccessNetwork(channels)
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: damaged classifier ({error!r:.300})") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: damaged classifier ({reason})") from error
    return network.eval().requires_grad_(False), card
