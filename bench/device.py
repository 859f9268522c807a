"""Check and time the models on a GPU, in one call of under eight minutes.

`python bench/device.py [--quick] [--output FILE]` runs on the first GPU; with none, on the CPU in
its place, for which `--quick` takes small sizes. Each part prints as soon as it is done, and FILE
gets the same as Markdown. The exit status is 1 if numbers differ, a loss does not fall, or a part
does not work.

It needs Python 3.11 or newer, torch, numpy, rich, matplotlib, imageio, pillow, jinja2 and
torchmetrics, and neither mujoco nor av nor imageio-ffmpeg. To a machine that has those and no
network carry wheels of tensordict 0.14.3, pyvers 0.2.3, orjson, importlib_metadata, cloudpickle,
gymnasium 1.4.0 and Farama-Notifications, and put the project's folder on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from device_parts import Bench
from parts import run

SECONDS = 440.0
"""That all parts may take together."""


def main(given: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Check and time the models on a GPU.")
    parser.add_argument("--quick", action="store_true", help="small sizes, for a CPU")
    parser.add_argument("--output", type=Path, help="a Markdown file", metavar="FILE")
    options = parser.parse_args(given)
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.allow_tf32 = False  # float32 is to mean float32
    torch.backends.cudnn.benchmark = True
    shown: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        print(text, flush=True)
        if options.output is not None:
            options.output.write_text("\n".join(shown))

    show(f"{described(device)}, torch {torch.__version__}\n")
    return int(not run(Bench(device, options.quick).parts(), SECONDS, show))


def described(device: torch.device) -> str:
    """What is measured."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"No GPU: the CPU in its place, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    sys.exit(main())
