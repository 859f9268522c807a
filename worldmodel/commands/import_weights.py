"""`worldmodel import`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from worldmodel.checkpoint import ModelCard, save_checkpoint
from worldmodel.clip import check_context
from worldmodel.commands.options import parse
from worldmodel.complexity import parameter_count
from worldmodel.errors import InputError, check_at_least
from worldmodel.model import WorldModel
from worldmodel.models.published.translation import FrameSize
from worldmodel.models.published.weights import import_weights
from worldmodel.output_folder import check_empty, check_writable


@final
@dataclass(frozen=True)
class ImportConfig:
    """Published weights as a checkpoint of ours; sizes are inferred from the weights.

    Attributes:
        file: `.pth`, `.pt`, `.ckpt` or `.safetensors` of the thuml repositories, of MoDeRNN or of
            OpenSTL.
        architecture: Name of one that `worldmodel models` lists, in any case.
        output: Folder of the checkpoint.
        channels: Channels C of the frames it was trained on; the first of 1 and 3 that fits if not
            given.
        height: Their height H in pixels; 64 if not given and the weights do not tell.
        width: Their width W in pixels; likewise.
        legacy: Compute as OpenSTL v0.3 did, whose ConvLSTM and PredRNN++ weights need it.
        options: Options of the model that leave no trace in the weights.
        action_names: One per action dimension; empty for action-free weights.
        context: Frames it was trained to be given.
        length: Frames of the clips it was trained on.
        domains: What it was trained on.
    """

    file: str
    architecture: str
    output: str
    channels: int | None = None
    height: int | None = None
    width: int | None = None
    legacy: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    action_names: tuple[str, ...] = ()
    context: int = 10
    length: int = 20
    domains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = ("channels", "height", "width")
        check_at_least(1, self, *(name for name in given if getattr(self, name) is not None))
        check_context(self.context, self.length)


def run(arguments: Sequence[str]) -> None:
    """Read the weights and write the checkpoint.

    Raises:
        InputError: The file cannot be read or does not fit, or the folder is taken.
    """
    config = parse(ImportConfig, "import", arguments, leading=["file"])
    check_writable(Path(config.output))
    check_empty(Path(config.output))
    size = FrameSize(config.channels, config.height, config.width)
    options = {**config.options, **({"legacy": True} if config.legacy else {})}
    model = import_weights(config.file, config.architecture, size, options)
    save_checkpoint(config.output, model, _card(config, model))
    millions = parameter_count(model) / 1e6
    frames = "frames {} x {} x {}".format(*model.frame_shape)
    print(f"{config.output}: {frames}, {millions:.2f}M parameters, {model.config}")


def _card(config: ImportConfig, model: WorldModel) -> ModelCard:
    width = model.action_dim
    names = config.action_names or tuple(f"action{index}" for index in range(width))
    if len(names) != width:
        raise InputError(f"action_names: expected {width} as in the weights, got {len(names)}")
    return ModelCard(
        frame_shape=model.frame_shape,
        action_names=names,
        action_mean=(0.0,) * width,
        action_std=(1.0,) * width,
        domains=config.domains,
        context=config.context,
        length=config.length,
        steps=0,
        seed=0,
        data=Path(config.file).name,
    )
