"""`worldmodel data`: look into recordings, check them, write them in another format."""

from __future__ import annotations

from collections.abc import Sequence

from worldmodel.commands.group import Group

COMMANDS = {
    "inspect": "format, cameras, lengths, actions and a contact sheet of a folder of recordings",
    "validate": "decode every recording and report what is wrong",
    "convert": "write recordings in another format",
}

_GROUP = Group("worldmodel data COMMAND PATH [options]", "worldmodel.commands.data", COMMANDS)


def run(arguments: Sequence[str]) -> int:
    """Run one of the commands.

    Raises:
        InputError: There is no such command.
    """
    return _GROUP.run(arguments)
