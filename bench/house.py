"""Size of the house, room by room: files, lines, functions, and who uses whom.

`python bench/house.py [FOLDER ...]` measures checkouts, this one if left out. Lines include
docstrings; a function's length is from its `def` to its end.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import final

ROOT = Path(__file__).parent.parent
WHERE = ("worldmodel", "planners", "envs")
LINKED = ("envs", "planners", "configs")


@final
@dataclass
class Room:
    """What is in one room."""

    lines: list[int] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)


def room_of(module: str) -> str:
    """`data` for `worldmodel.data.index`; top-level modules share one room."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else "(top)"


def files(root: Path) -> list[tuple[str, Path]]:
    """Modules and their files, of the package and the folders that are linked into it."""
    found = []
    for folder in WHERE:
        for path in sorted((root / folder).rglob("*.py")):
            inside = path.relative_to(root)
            if folder == "worldmodel" and inside.parts[1] in LINKED:
                continue
            parts = inside.with_suffix("").parts
            module = ".".join(parts if folder == "worldmodel" else ("worldmodel", *parts))
            found.append((module, path))
    return found


def imported(tree: ast.AST) -> set[str]:
    """Names of our modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("worldmodel."):
            name = str(node.module)
            names.add(f"{name}.x" if name.count(".") == 1 else name)
    return names


def measure(root: Path) -> dict[str, Room]:
    """All rooms of a checkout."""
    rooms: dict[str, Room] = {}
    for module, path in files(root):
        text = path.read_text()
        tree = ast.parse(text)
        room = rooms.setdefault(
            room_of(module + (".x" if path.name == "__init__.py" else "")), Room()
        )
        room.lines.append(len(text.splitlines()))
        room.functions += [
            node.end_lineno - node.lineno + 1
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
        ]
        own = room_of(module)
        room.uses.update({room_of(name) for name in imported(tree)} - {own})
    return rooms


def seconds(root: Path, program: str) -> float:
    """Wall clock of a Python process, the best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        command = [sys.executable, "-c", program]
        subprocess.run(command, cwd=root, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


HELP = "from worldmodel.cli import main; main(['--help'])"


def table(root: Path) -> str:
    """The rooms as Markdown, and how long the front door takes."""
    rooms = measure(root)
    lines = [
        "| room | files | lines | functions | median | 90 % | uses |",
        "| --- | --: | --: | --: | --: | --: | --- |",
    ]
    for name, room in sorted(rooms.items()):
        long = quantiles(room.functions, n=10)[-1] if len(room.functions) > 1 else 0
        middle = median(room.functions) if room.functions else 0
        uses = ", ".join(f"{other} {count}" for other, count in sorted(room.uses.items()))
        lines.append(
            f"| {name} | {len(room.lines)} | {sum(room.lines)} | {len(room.functions)} "
            f"| {middle:.0f} | {long:.0f} | {uses} |"
        )
    all_lines = [count for room in rooms.values() for count in room.lines]
    functions = [length for room in rooms.values() for length in room.functions]
    edges = sum(len(room.uses) for room in rooms.values())
    lines.append(
        f"| all | {len(all_lines)} | {sum(all_lines)} | {len(functions)} "
        f"| {median(functions):.0f} | {quantiles(functions, n=10)[-1]:.0f} | {edges} arrows |"
    )
    times = (seconds(root, program) for program in ("import worldmodel", HELP))
    door = "`import worldmodel` {:.2f} s, `worldmodel --help` {:.2f} s".format(*times)
    return "\n".join([*lines, "", door])


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:] or [str(ROOT)]):
        print(f"\n{folder.resolve().name}\n\n{table(folder)}")
