"""Check and time the models on every device at hand, in one call.

`python bench/device.py [NAME ...]` takes all architectures in the sizes of `moving_mnist.py` and
both shipped models, or those that are named. Prints, per model and device, the largest difference
of an imagined video from the CPU's, the time of a training step and of imagining a planner's
candidates, and each as a ratio to the CPU's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from moving_mnist import MODELS
from torch import Tensor

from worldmodel.clip import Clip
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.rollout import begin, imagine, unroll

FRAME, ACTIONS, LENGTH, CLIPS, CANDIDATES, HORIZON = (3, 64, 64), 2, 12, 8, 40, 8
CONFIGS: dict[str, ModelConfig] = {
    **MODELS,
    "predrnn-v2 shipped": PredRNNConfig(layers=3, hidden=40, kernel=3, bias=True, residual=True),
    "mode-rnn shipped": ModeRNNConfig(layers=3, hidden=48, kernel=1, residual=True),
}


def seconds(work: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """Median time of `work`, after one warm-up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[repeats // 2]


def training_step(model: WorldModel, device: torch.device) -> Callable[[], object]:
    """One forward and backward pass over a batch of clips."""
    frames = torch.rand(CLIPS, LENGTH, *FRAME, device=device)
    clip = Clip.checked(frames, torch.randn(CLIPS, LENGTH - 1, ACTIONS, device=device))
    mask = torch.ones(CLIPS, LENGTH - 1, device=device)

    def step() -> None:
        model.zero_grad()
        with torch.autocast(device.type, torch.bfloat16):
            predictions, _ = unroll(model, clip, mask)
        (predictions.float() - frames[:, 1:]).square().mean().backward()

    return step


def planning(model: WorldModel, device: torch.device) -> Callable[[], Tensor]:
    """One round of a planner's candidates from one frame."""
    generator = torch.Generator().manual_seed(1)
    frame = torch.rand(1, *FRAME, generator=generator).to(device)
    actions = torch.randn(CANDIDATES, HORIZON, ACTIONS, generator=generator).to(device)

    @torch.inference_mode()
    def search() -> Tensor:
        state = begin(model.eval(), frame).expand(CANDIDATES)
        return torch.stack([step.frame for step in imagine(model, state, actions)], dim=1)

    return search


def main() -> None:
    """Every wanted model on every device."""
    parser = argparse.ArgumentParser(description="Check and time the models on every device.")
    parser.add_argument("models", nargs="*", default=list(CONFIGS), metavar="NAME")
    wanted = parser.parse_args().models
    if unknown := set(wanted).difference(CONFIGS):
        parser.error(f"unknown: {', '.join(unknown)}; available: {', '.join(CONFIGS)}")
    names = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    for name in wanted:
        config = CONFIGS[name]
        reference, cpu_times = None, None
        for device in map(torch.device, names):
            torch.manual_seed(0)
            model = config.build(FRAME, ACTIONS).to(device)
            imagined = planning(model, device)().cpu()
            reference = imagined if reference is None else reference
            times = (
                seconds(training_step(model.train(), device), device),
                seconds(planning(model, device), device),
            )
            cpu_times = times if cpu_times is None else cpu_times
            ratios = [mine / cpu for mine, cpu in zip(times, cpu_times, strict=True)]
            print(
                f"{name:18} {device!s:7} difference {float((imagined - reference).abs().max()):.1e}"
                f"  training step {times[0] * 1e3:7.1f} ms ({ratios[0]:.3f})"
                f"  {CANDIDATES} candidates x {HORIZON} {times[1] * 1e3:7.1f} ms ({ratios[1]:.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
