"""The command line: `worldmodel COMMAND [options]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from worldmodel.errors import InputError

COMMANDS = {
    "collect": "record seeded exploration in the tabletop laboratories as RoboNet HDF5",
    "data": "inspect, validate or convert recordings of any known format",
    "train": "train a world model on robot logs",
    "evaluate": "score a world model's predictions on held-out recordings",
    "plan": "plan in a tabletop task, beside an oracle, random and no actions",
    "import": "make a checkpoint of weights that others published",
    "models": "list the architectures: paper, size, cost, actions, stochastic or not",
    "demo": "all of it, from logs to planned motion, on one page",
}

_MODULES = {"import": "import_weights"}
"""Modules of commands whose names are Python's."""

USAGE = "usage: worldmodel COMMAND [options]; `worldmodel COMMAND --help` lists the options\n\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        Exit status: 0, or 2 after one sentence on what was wrong with the input, or 130 after
        Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0 if arguments else 2
    command, *options = arguments
    try:
        if command not in COMMANDS:
            raise InputError(f"command {command!r} is unknown; available: {', '.join(COMMANDS)}")
        module = _MODULES.get(command, command)
        import_module(f"worldmodel.commands.{module}").run(options)
    except InputError as error:
        print(f"worldmodel: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"worldmodel: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130
    return 0


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    return USAGE + "\n".join(f"  {name:{width}}{what}" for name, what in COMMANDS.items())
