"""The command line: `worldmodel COMMAND [options]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import worldmodel
from worldmodel.commands.group import Group
from worldmodel.errors import InputError

COMMANDS = {
    "collect": "record seeded exploration of a suite's robots as RoboNet HDF5",
    "data": "inspect, validate or convert recordings of any known format",
    "train": "train a world model on robot logs",
    "evaluate": "score a world model's predictions on held-out recordings",
    "train-classifier": "train a cost of planning: is the task done in this picture?",
    "plan": "plan in a task, beside an oracle, random and no actions",
    "serve": "plan for robots that ask over HTTP: a picture and a goal in, an action out",
    "import": "make a checkpoint of weights that others published",
    "models": "list the architectures: paper, size, cost, actions, stochastic or not",
    "demo": "all of it, from logs to planned motion, on one page",
}

_GROUP = Group(
    usage="worldmodel COMMAND [options]",
    package="worldmodel.commands",
    commands=COMMANDS,
    modules={
        "import": "import_weights",  # `import` is Python's
        "train-classifier": "train_classifier",
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        Exit status: 0, or 2 if there was no command or after one sentence on what was wrong with
        the input, or 130 after Ctrl-C, or 141 if whoever read the output stopped reading.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--version"]:
        print(f"worldmodel {worldmodel.__version__}")
        return 0
    try:
        status = _GROUP.run(arguments)
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"worldmodel: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"worldmodel: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to say
        return 141
