"""This code beside that of another commit: how many times as fast it is.

Usage: python bench/versus.py COMMIT [NAME ...] [--rounds 3] [--threads 1]. Both take turns in
processes of their own, the commit in a work tree that is removed again; the medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from worldmodel.report.table import Cell, Table

HERE = Path(__file__).resolve().parents[1]


def times(tree: Path, options: argparse.Namespace) -> dict[str, float]:
    """Seconds by what is measured, with the code of a tree."""
    command = [sys.executable, str(HERE / "bench" / "step_times.py"), *options.names]
    found = subprocess.run(
        [*command, "--threads", str(options.threads)],
        env={**os.environ, "PYTHONPATH": str(tree)},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(found.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        git = ["git", "-C", str(HERE), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), options.commit], check=True)
        try:
            rounds = [(times(tree, options), times(HERE, options)) for _ in range(options.rounds)]
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
    rows: list[dict[str, Cell]] = []
    for name in rounds[0][0]:
        before, now = (median(turn[i][name] for turn in rounds) for i in (0, 1))
        rows.append({"": name, "before (s)": before, "now (s)": now, "times as fast": before / now})
    print(Table.of(rows).markdown())


if __name__ == "__main__":
    main()
