"""Both models on five sets of real recordings for some minutes each, scored on what was kept.

Run: python bench/real_sets.py DATA FOLDER [--sets bridge franka ...]

What is finished is not run again. One CPU thread per run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from worldmodel.report.table import Table

MODELS = {"predrnn-v2": "robonet-predrnn", "mode-rnn": "robonet-mode-rnn"}

SETS = {
    "bridge": (
        "bridge_widowx",
        {"camera": "[image_0,image_1,image_2]", "window.length": "10"},
        None,
    ),
    "franka": ("robonet_franka", {"camera": "all"}, None),
    "knmi": ("radar_knmi", {"camera": "0", "validation": "0.15", "test": "0.3"}, 1),
    "fmi": (
        "radar_fmi",
        {"camera": "0", "validation": "0.2", "test": "0.3", "window.length": "8"},
        1,
    ),
    "kth": ("kth_clips", {"camera": "0", "window.image_size": "32"}, None),
}
"""Folder, options of the data, and frames between the starts of scored clips."""


def main() -> None:
    """Train, evaluate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    arguments = parser.parse_args()
    for name in arguments.sets:
        for model, config in MODELS.items():
            run(name, config, arguments.data, arguments.folder / f"{name}-{model}")
    print(Table.of(list(rows(arguments.folder))).markdown(), end="")


def run(name: str, config: str, data: Path, folder: Path) -> None:
    """One model on one set, by the commands that a user gives."""
    path, options, hop = SETS[name]
    given = [f"--data.path={data / path}"]
    given += [f"--data.{option}={value}" for option, value in options.items()]
    if not (folder / "checkpoint").exists():
        if (folder / "resume" / "last.ckpt").exists():
            worldmodel("train", f"--resume={folder}")
        else:
            worldmodel("train", f"--config={config}", *given, f"--output={folder}", "--threads=1")
    if not (folder / "scores" / "evaluation.json").exists():
        shared = [f"--hop={hop}"] if hop else []
        worldmodel("evaluate", str(folder), *shared, f"--output={folder / 'scores'}")


def worldmodel(*arguments: str) -> None:
    """Run a command of the environment that this script runs in."""
    command = Path(sys.executable).with_name("worldmodel")
    subprocess.run([command, *arguments], check=True)


def rows(folder: Path) -> list[dict[str, Any]]:
    """Squared error by predicted step, of each model and of copying the last frame."""
    found = []
    for path in sorted(folder.glob("*/scores/evaluation.json")):
        scored = json.loads(path.read_text())
        run_name = path.parent.parent.name
        for predictor, scores in scored["scores"].items():
            steps = scores["mse_sum"]
            chosen = [0, len(steps) // 3, 2 * len(steps) // 3, len(steps) - 1]
            found.append(
                {
                    "run": run_name,
                    "predictor": predictor,
                    "clips": scored["clips"],
                    "mean": sum(steps) / len(steps),
                    **{
                        label: steps[step]
                        for label, step in zip(
                            ("first step", "at 1/3", "at 2/3", "last step"), chosen, strict=True
                        )
                    },
                }
            )
    return found


if __name__ == "__main__":
    main()
