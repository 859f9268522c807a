"""What the machine itself can do: convolutions and matrix products, by number format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from measuring import Measurement, Work, side_by_side
from torch.nn import functional
from workloads import Precision, finished

TYPES: Mapping[Precision, torch.dtype] = {"float32": torch.float32, "bf16": torch.bfloat16}


@final
@dataclass(frozen=True)
class Kernel:
    """A piece of work without a model, and its operations, two per multiply-add."""

    work: Work
    flops: float


def convolution(
    precision: Precision,
    device: torch.device,
    *,
    kernel: int = 5,
    inputs: int = 64,
    outputs: int = 448,
    batch: int = 8,
    side: int = 16,
) -> Kernel:
    """Maps (batch, inputs, side, side) to `outputs` channels; the defaults are a PredRNN's."""
    options = {"device": device, "dtype": TYPES[precision]}
    maps = torch.randn(batch, inputs, side, side, **options)
    weight = torch.randn(outputs, inputs, kernel, kernel, **options)
    maps, weight = (one.contiguous(memory_format=torch.channels_last) for one in (maps, weight))

    @torch.no_grad()
    def work() -> torch.Tensor:
        return functional.conv2d(maps, weight, padding=kernel // 2)

    return Kernel(finished(work, device), 2 * kernel**2 * inputs * outputs * batch * side**2)


def product(precision: Precision, device: torch.device, side: int = 1024) -> Kernel:
    """Two square matrices."""
    one, other = torch.randn(2, side, side, device=device, dtype=TYPES[precision])
    return Kernel(finished(lambda: one @ other, device), 2 * side**3)


def kernels(device: torch.device) -> dict[tuple[str, Precision], Kernel]:
    """By name and number format, those that are reported."""
    found: dict[tuple[str, Precision], Kernel] = {}
    for precision in TYPES:
        found["convolution 5x5, 64 to 448", precision] = convolution(precision, device)
        found["convolution 3x3, 40 to 160", precision] = convolution(
            precision, device, kernel=3, inputs=40, outputs=160
        )
        found["matrix product, 1024", precision] = product(precision, device)
    return found


def peaks(quick: bool) -> list[Measurement]:
    """GFLOP/s of the kernels on the CPU, and how much faster each is in bf16."""
    every = kernels(torch.device("cpu"))
    works = {f"{name} {precision}": kernel.work for (name, precision), kernel in every.items()}
    seconds = side_by_side(works, 5 if quick else 25)
    found = []
    for (name, precision), kernel in every.items():
        rate = kernel.flops / seconds[f"{name} {precision}"] / 1e9
        found.append(Measurement(name, f"{precision}, GFLOP/s", rate))
    for name in dict.fromkeys(name for name, _ in every):
        faster = seconds[f"{name} float32"] / seconds[f"{name} bf16"]
        found.append(Measurement(name, "bf16 over float32", faster, ratio=True))
    return found
