"""`worldmodel train-classifier`."""

from __future__ import annotations

from collections.abc import Sequence

from worldmodel.commands.options import parse
from worldmodel.planners.costs.classifier_training import TrainClassifierConfig, train_classifier


def run(arguments: Sequence[str]) -> None:
    """Train a success classifier and say how good it is.

    Raises:
        InputError: There are too few pictures, they are damaged or of different sizes, or the
            folder is taken.
    """
    config = parse(TrainClassifierConfig, "train-classifier", arguments, ["goals", "others"])
    card = train_classifier(config)
    print(
        f"{config.output}: {card.accuracy:.1%} of {card.held_out} held-out pictures right, "
        f"balanced loss {card.balanced_loss:.3f}, after {card.epochs} epochs with {card.done} "
        f"pictures of done and {card.not_done} of not done"
    )
