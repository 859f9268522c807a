"""`worldmodel data`: look into recordings, check them, write them in another format."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from worldmodel.errors import InputError

COMMANDS = {
    "inspect": "format, cameras, lengths, actions and a contact sheet of a folder of recordings",
    "validate": "decode every recording and report what is wrong",
    "convert": "write recordings in another format",
}

USAGE = (
    "usage: worldmodel data COMMAND PATH [options]; `--help` after a command lists the options\n\n"
)


def run(arguments: Sequence[str]) -> None:
    """Run one of the commands.

    Raises:
        InputError: There is no such command.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, COMMANDS)) + 2
        print(USAGE + "\n".join(f"  {name:{width}}{what}" for name, what in COMMANDS.items()))
        return
    command, *options = arguments
    if command not in COMMANDS:
        raise InputError(f"data: command {command!r} is unknown; available: {', '.join(COMMANDS)}")
    import_module(f"worldmodel.commands.data.{command}").run(options)
