"""Seconds of a training step and of imagination, as JSON, for the code that Python finds.

Usage: python bench/step_times.py NAME ... [--threads 1]; `versus.py` compares two commits with it.
Training is a batch of 8 clips of 12 frames in bf16 autocast with Adam; imagination is 40 candidates
of 8 steps of the shipped sizes, 10 of 10 of the published ones.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from worldmodel.clip import Clip
from worldmodel.model import ModelConfig, WorldModel, channels_last
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.rollout import begin, imagine, unroll
from worldmodel.training.loss import training_loss

FRAME, ACTIONS, CLIPS, LENGTH = (3, 64, 64), 2, 8, 12

SIZES: dict[str, tuple[ModelConfig, int, int]] = {
    "predrnn-shipped": (
        PredRNNConfig(layers=3, hidden=40, kernel=3, bias=True, residual=True),
        40,
        8,
    ),
    "mode-rnn-shipped": (ModeRNNConfig(layers=3, hidden=48, kernel=1, residual=True), 40, 8),
    "predrnn-4x64": (PredRNNConfig(patch=None, residual=True, bias=True), 10, 10),
    "mode-rnn-published": (ModeRNNConfig(), 10, 10),
}
"""Options, candidates and horizon."""


def training(model: WorldModel) -> Callable[[], object]:
    torch.manual_seed(0)
    frames, actions = torch.rand(CLIPS, LENGTH, *FRAME), torch.randn(CLIPS, LENGTH - 1, ACTIONS)
    clip, mask = Clip.checked(frames, actions), torch.rand(CLIPS, LENGTH - 1) < 0.5
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            predictions, terms = unroll(model, clip, mask)
            loss = training_loss(predictions, clip, terms, 0.02)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def imagination(model: WorldModel, candidates: int, horizon: int) -> Callable[[], object]:
    frame, actions = torch.rand(1, *FRAME), torch.randn(candidates, horizon, ACTIONS)

    @torch.inference_mode()
    def imagined() -> object:
        state = begin(model, frame).expand(candidates)
        with torch.autocast("cpu", torch.bfloat16):
            return [step.t for step in imagine(model, state, actions)]

    return imagined


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The median, after one round that does not count."""
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return sorted(times[1:])[repeats // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SIZES), metavar="NAME")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = {}
    for name in options.names:
        config, candidates, horizon = SIZES[name]
        torch.manual_seed(0)
        model = channels_last(config.build(FRAME, ACTIONS))
        found[f"{name}, training"] = seconds(training(model.train()))
        found[f"{name}, imagination"] = seconds(imagination(model.eval(), candidates, horizon))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
