"""All that is said about speed, measured side by side in one run.

`python bench/speed.py [--json FILE] [--only PART ...] [--quick]` prints a table per part and writes
every number to FILE. Ratios compare two things that took turns in the same minute; they are what
`compare.py` looks at. All other numbers are this machine's at this hour.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from loading_speed import loading
from measuring import Measurement, table
from model_speed import architectures, imagined, over_plain, trained
from peaks import peaks
from planning_speed import memory, overhead
from scaling import scaling

PARTS: dict[str, tuple[str, Callable[[bool], list[Measurement]]]] = {
    "peak": ("The machine's peak", peaks),
    "training": ("Training step", trained),
    "imagination": ("Imagination", imagined),
    "plain": ("Over a plain restatement of the authors' code", over_plain),
    "architectures": ("All architectures, small", architectures),
    "planning": ("Planning", overhead),
    "memory": ("Memory of planning", memory),
    "loading": ("Loading", loading),
    "scaling": ("Growth of time with size", scaling),
}

SLOW = ("loading",)
"""Parts that a quick run leaves out unless it is asked for them."""


def main(given: Sequence[str] | None = None) -> None:
    """Measure the wanted parts."""
    parser = argparse.ArgumentParser(description="Speed, as ratios measured side by side.")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART")
    parser.add_argument("--quick", action="store_true", help="small sizes, within a minute")
    options = parser.parse_args(given)
    torch.set_num_threads(1)
    found: dict[str, list[Measurement]] = {}
    for name in options.only or [part for part in PARTS if not (options.quick and part in SLOW)]:
        title, part = PARTS[name]
        found[name] = part(options.quick)
        print(f"### {title}\n\n{table(found[name])}", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record(found), indent=1) + "\n")


def record(found: dict[str, list[Measurement]]) -> dict[str, dict[str, str | int | float]]:
    """What is written: the machine, the ratios, and the other numbers, by name."""
    numbers = [(f"{part}: {one.name}", one) for part, every in found.items() for one in every]
    return {
        "machine": machine(),
        "ratios": {name: one.value for name, one in numbers if one.ratio},
        "numbers": {name: one.value for name, one in numbers if not one.ratio},
    }


def machine() -> dict[str, str | int | float]:
    """Where and when it was measured."""
    return {
        "cpu": cpu(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def cpu() -> str:
    """The model's name, as far as the system tells."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
