"""Training a success classifier from examples of what done looks like."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from worldmodel.errors import InputError, check_at_least
from worldmodel.output_folder import check_empty, check_writable
from worldmodel.planners.costs.classifier_pictures import Pictures, done, not_done
from worldmodel.planners.costs.success_classifier import (
    ClassifierCard,
    SuccessNetwork,
    save_classifier,
)


@final
@dataclass(frozen=True)
class TrainClassifierConfig:
    """A classifier that tells from a picture whether a task is done.

    Attributes:
        goals: Folder of pictures (png, jpg) in which the task is done; or recordings, of which the
            last frames are.
        others: Folder of pictures in which it is not; or recordings, of which frames far from the
            end are not.
        output: Folder of the classifier.
        size: Height and width of the frames, in pixels, or a list of the two: recordings are
            brought to it, pictures must have it.
        gray: Of one channel, otherwise RGB.
        far: First part of a recording that counts as far from the end, in (0, 1).
        frames: Frames of that part that are taken of each recording.
        held_out: Share of the pictures, and whole recordings, to judge it by, in (0, 1).
        shift: Pixels by which pictures are moved at random while training, at most.
        brightness: Share by which they are made brighter or darker, at most, in [0, 1).
        epochs: Passes over the pictures, at most.
        patience: Passes without a better held-out loss after which training stops.
        batch_size: Pictures per step.
        learning_rate: Of AdamW.
        seed: Of everything random.

    Raises:
        InputError: An option is out of range.
    """

    goals: str
    others: str
    output: str
    size: int | tuple[int, int] = 64
    gray: bool = False
    far: float = 0.5
    frames: int = 8
    held_out: float = 0.2
    shift: int = 4
    brightness: float = 0.2
    epochs: int = 60
    patience: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(1, self, "frames", "epochs", "patience", "batch_size")
        check_at_least(0, self, "shift", "brightness", "seed")
        for name in ("far", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name}: expected above 0 and below 1, got {getattr(self, name)}")
        if self.brightness >= 1 or not self.learning_rate > 0 or min(self.shape[1:]) < 8:
            raise InputError(
                "expected a brightness below 1, a learning rate above 0 and a size of at least 8, "
                f"got {self.brightness}, {self.learning_rate} and {self.size}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the frames."""
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        return (1 if self.gray else 3), height, width


class _Examples(NamedTuple):
    """Pictures (P, C, H, W) and whether the task is done in them (P,), 1 or 0."""

    frames: Tensor
    labels: Tensor


def train_classifier(config: TrainClassifierConfig) -> ClassifierCard:
    """Train a classifier and write it.

    Raises:
        InputError: There are too few pictures of either kind, they are damaged or of another size,
            or the folder holds something.
    """
    check_writable(Path(config.output))
    check_empty(Path(config.output))
    channels, *size = config.shape
    goals = done(config.goals, (size[0], size[1]), channels)
    others = not_done(config.others, (size[0], size[1]), channels, config.far, config.frames)
    generator = torch.Generator().manual_seed(config.seed)
    training, judging = _divided(goals, others, config.held_out, generator)
    network, epochs = _fitted(config, training, judging, generator)
    accuracy, loss = _judged(network, judging)
    card = ClassifierCard(
        config.shape,
        accuracy,
        loss,
        len(goals.frames),
        len(others.frames),
        len(judging.frames),
        epochs,
        config.seed,
    )
    save_classifier(config.output, network, card)
    return card


def _divided(
    goals: Pictures, others: Pictures, held_out: float, generator: torch.Generator
) -> tuple[_Examples, _Examples]:
    """What is trained on and what is held out, of both kinds and whole recordings."""
    training, judging = [], []
    for option, label, pictures in (("goals", 1.0, goals), ("others", 0.0, others)):
        groups = pictures.groups.unique()
        if len(groups) < 2:
            raise InputError(
                f"{option}: expected at least 2 pictures or recordings, one to train on and one to "
                f"hold out, got {len(groups)}"
            )
        count = min(max(1, round(held_out * len(groups))), len(groups) - 1)
        chosen = groups[torch.randperm(len(groups), generator=generator)[:count]]
        out = torch.isin(pictures.groups, chosen)
        for part, which in ((training, ~out), (judging, out)):
            frames = pictures.frames[which]
            part.append(_Examples(frames, frames.new_full((len(frames),), label)))
    return _joined(training), _joined(judging)


def _joined(parts: list[_Examples]) -> _Examples:
    return _Examples(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _fitted(
    config: TrainClassifierConfig,
    training: _Examples,
    judging: _Examples,
    generator: torch.Generator,
) -> tuple[SuccessNetwork, int]:
    """The network as it was when its held-out loss was least, and after how many epochs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = SuccessNetwork(config.shape[0])
    optimizer = torch.optim.AdamW(network.parameters(), config.learning_rate)
    best, least, best_epoch = copy.deepcopy(network), torch.inf, 0
    for epoch in range(1, config.epochs + 1):
        for batch in _batches(training, config.batch_size, generator):
            frames = _varied(batch.frames, config.shift, config.brightness, generator)
            optimizer.zero_grad()
            _balanced_loss(network(frames), batch.labels, training.labels).backward()
            optimizer.step()
        _, loss = _judged(network, judging)
        if loss < least:
            best, least, best_epoch = copy.deepcopy(network), loss, epoch
        elif epoch - best_epoch >= config.patience:
            break
    return best.eval(), best_epoch


def _batches(
    examples: _Examples, batch_size: int, generator: torch.Generator
) -> Iterator[_Examples]:
    for chosen in torch.randperm(len(examples.frames), generator=generator).split(batch_size):
        yield _Examples(examples.frames[chosen], examples.labels[chosen])


def _varied(frames: Tensor, shift: int, brightness: float, generator: torch.Generator) -> Tensor:
    """Pictures moved by up to `shift` pixels, their edges drawn out, brighter or darker."""
    height, width = frames.shape[-2:]
    padded = pad(frames, (shift,) * 4, mode="replicate")
    corners = torch.randint(2 * shift + 1, (len(frames), 2), generator=generator).tolist()
    moved = torch.stack(
        [
            picture[:, row : row + height, column : column + width]
            for picture, (row, column) in zip(padded, corners, strict=True)
        ]
    )
    factor = 1 + brightness * (2 * torch.rand(len(frames), 1, 1, 1, generator=generator) - 1)
    return (moved * factor).clamp(0, 1)


def _balanced_loss(logits: Tensor, labels: Tensor, of_all: Tensor) -> Tensor:
    """Cross-entropy in which the two kinds among all labels count the same."""
    share = of_all.mean()
    weights = torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
    return binary_cross_entropy_with_logits(logits, labels, weights)


@torch.no_grad()
def _judged(network: SuccessNetwork, examples: _Examples) -> tuple[float, float]:
    """Accuracy and balanced loss."""
    logits = torch.cat([network(frames) for frames in examples.frames.split(256)])
    right = (logits > 0) == (examples.labels > 0)
    loss = _balanced_loss(logits, examples.labels, examples.labels)
    return float(right.float().mean()), float(loss)
