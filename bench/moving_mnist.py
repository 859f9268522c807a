"""Train every architecture for some CPU minutes on Moving MNIST and compare with doing nothing.

`python bench/moving_mnist.py MNIST_FOLDER OUTPUT [--seconds S] [--models NAME ...]` writes one JSON
file and one picture per model to OUTPUT, leaves out models that are there already, and prints the
table of all that are. Two processes may share an OUTPUT.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor

from worldmodel.clip import Clip
from worldmodel.complexity import parameter_count
from worldmodel.data.generators.generator import GeneratedPart
from worldmodel.data.generators.moving_mnist import MovingMNIST
from worldmodel.metrics.pixel import mse_sum, ssim_gaussian
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.models.e3d_lstm import E3DLSTMConfig
from worldmodel.models.gru_cat import GRUCATConfig
from worldmodel.models.mim import MIMConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.motion_details_rnn import MotionDetailsRNNConfig
from worldmodel.models.motion_rnn import MotionRNNConfig
from worldmodel.models.phydnet import PhyDNetConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.predrnn_plus_plus import PredRNNPlusPlusConfig
from worldmodel.models.rims import RIMsConfig
from worldmodel.models.sa_conv_lstm import SAConvLSTMConfig
from worldmodel.models.scoff import SCOFFConfig
from worldmodel.models.simvp import SimVPConfig
from worldmodel.models.svg import SVGConfig
from worldmodel.models.traj_gru import TrajGRUConfig
from worldmodel.report.picture import write_png
from worldmodel.report.strip import comparison
from worldmodel.report.table import Table
from worldmodel.rollout import predict, unroll
from worldmodel.training.loss import training_loss

SIZE, CONTEXT, LENGTH, BATCH, TEST_CLIPS = 32, 5, 10, 16, 256
MODELS: dict[str, ModelConfig] = {
    "conv-lstm": ConvLSTMConfig(layers=2, hidden=48, kernel=3),
    "traj-gru": TrajGRUConfig(layers=2, hidden=32, links=5),
    "predrnn": PredRNNConfig(layers=2, hidden=32, kernel=3, memory_decoupling=False),
    "predrnn-v2": PredRNNConfig(layers=2, hidden=32, kernel=3),
    "predrnn-plus-plus": PredRNNPlusPlusConfig(layers=2, hidden=32, kernel=3),
    "mim": MIMConfig(layers=2, hidden=32, kernel=3),
    "e3d-lstm": E3DLSTMConfig(layers=2, hidden=16, kernel=3),
    "sa-conv-lstm": SAConvLSTMConfig(layers=2, hidden=32, key=16),
    "mode-rnn": ModeRNNConfig(layers=2, hidden=32),
    "motion-rnn": MotionRNNConfig(
        backbone=PredRNNConfig(layers=2, hidden=32, kernel=3, memory_decoupling=False)
    ),
    "motion-details-rnn": MotionDetailsRNNConfig(layers=2, hidden=32),
    "phydnet": PhyDNetConfig(features=32, kernel=5, layers=2, hidden=32, groups=8),
    "simvp": SimVPConfig(window=5, hidden=32, translator_hidden=64, translator_depth=2),
    "svg": SVGConfig(width=16, halvings=3),
    "gru-cat": GRUCATConfig(hidden=256),
    "rims": RIMsConfig(inputs="embedding", decoder="CAT", hidden=64, dropout=0.0),
    "oc-rims": RIMsConfig(decoder="BCD", cells=3, hidden=64, dropout=0.0),
    "oc-rims-ff": RIMsConfig(inputs="feature-map", decoder="BCD", cells=3, hidden=64, dropout=0.0),
    "scoff": SCOFFConfig(inputs="feature-map", decoder="BCD", cells=3, hidden=64, dropout=0.0),
}


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("mnist", type=Path, help="folder of MNIST's IDX files")
    parser.add_argument("output", type=Path)
    parser.add_argument("--seconds", type=float, default=180, help="CPU seconds of training each")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    train, test = (small_digits(arguments.mnist, part) for part in ("train", "test"))
    truth = clips(test, range(TEST_CLIPS))
    for name in arguments.models:
        record = arguments.output / f"{name}.json"
        if not record.exists():
            model, steps = trained(MODELS[name], train, arguments.seconds, name)
            result = scores(model, truth, arguments.output / f"{name}.png")
            described = {
                "model": name,
                "parameters": parameter_count(model),
                "CPU s": round(arguments.seconds),
                "steps": steps,
            }
            record.write_text(json.dumps(described | result))
    rows = [*baselines(train, truth), *map(json.loads, _texts(arguments.output))]
    print(Table.of(sorted(rows, key=lambda row: row["MSE"])).markdown(), end="")


def small_digits(mnist: Path, part: GeneratedPart) -> MovingMNIST:
    """Two digits at half their size, so that both have room in a frame."""
    return MovingMNIST(
        digits=str(mnist),
        part=part,
        digit_size=14,
        length=LENGTH,
        height=SIZE,
        width=SIZE,
    )


def clips(generator: MovingMNIST, indices: range) -> Clip:
    """Clips of moving digits, without actions."""
    frames = np.stack([generator.clip(index).frames for index in indices])
    return Clip.checked(
        torch.from_numpy(frames).movedim(-1, 2).float() / 255,
        torch.zeros(len(indices), LENGTH - 1, 0),
    )


def trained(
    config: ModelConfig, digits: MovingMNIST, seconds: float, name: str
) -> tuple[WorldModel, int]:
    """A model after so many CPU seconds of Adam, and the steps it took.

    The rate falls along a cosine, and the share of recorded frames after the context linearly.
    """
    torch.manual_seed(0)
    model = config.build((1, SIZE, SIZE), 0).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    step = 0
    for step, progress in enumerate(_progress(seconds, name), 1):
        clip = clips(digits, range(BATCH * step, BATCH * (step + 1)))
        mask = torch.ones(BATCH, LENGTH - 1)
        mask[:, CONTEXT:] = torch.rand(BATCH, LENGTH - 1 - CONTEXT) > progress
        optimizer.param_groups[0]["lr"] = 1e-3 * 0.5 * (1 + np.cos(np.pi * progress))
        predictions, terms = unroll(model, clip, mask)
        optimizer.zero_grad()
        training_loss(predictions, clip, terms, 0.1).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval(), step


def _progress(seconds: float, name: str) -> Iterator[float]:
    """Fractions of the CPU time that have passed, until it is over."""
    start = time.process_time()
    with Progress() as bar:
        task = bar.add_task(name, total=seconds)
        while (spent := time.process_time() - start) < seconds:
            bar.update(task, completed=spent)
            yield spent / seconds


@torch.no_grad()
def scores(model: WorldModel, truth: Clip, picture: Path) -> dict[str, float]:
    """Errors on the test clips; draws the first."""
    predictions = torch.cat([predict(model, part, CONTEXT) for part in truth.split(64)])
    write_png(picture, comparison(truth.frames[0, CONTEXT:], predictions[0]))
    return _errors(predictions, truth)


def baselines(digits: MovingMNIST, truth: Clip) -> list[dict[str, str | float | None]]:
    """What repeating the last frame, or the mean training frame, scores."""
    mean = clips(digits, range(1024)).frames.mean(dim=(0, 1))
    future = truth.frames[:, CONTEXT:]
    last = truth.frames[:, CONTEXT - 1 : CONTEXT].expand_as(future)
    blank = {"parameters": None, "CPU s": None, "steps": None}
    return [
        {"model": "last frame", **blank, **_errors(last, truth)},
        {"model": "mean frame", **blank, **_errors(mean.expand_as(future), truth)},
    ]


def _errors(predictions: Tensor, truth: Clip) -> dict[str, float]:
    future = truth.frames[:, CONTEXT:]
    return {
        "MSE": round(float(mse_sum(predictions, future).mean()), 2),
        "SSIM": round(float(ssim_gaussian(predictions, future.contiguous()).mean()), 3),
    }


def _texts(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("*.json"))]


if __name__ == "__main__":
    main()
