"""Commands under one name, each a module that is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import final

from worldmodel.errors import InputError


@final
@dataclass(frozen=True)
class Group:
    """Commands and what each does in a few words.

    Attributes:
        usage: How a command is given.
        package: Where their modules are, each with a function `run(arguments)`.
        commands: What each does, by name.
        modules: Names of modules that are not those of their commands.
    """

    usage: str
    package: str
    commands: Mapping[str, str]
    modules: Mapping[str, str] = field(default_factory=dict)

    def run(self, arguments: Sequence[str]) -> int:
        """Run one of them; without any, or for help, list them.

        Returns:
            Exit status: 0, or 2 if no command was given.

        Raises:
            InputError: There is no such command.
        """
        if not arguments or arguments[0] in ("-h", "--help"):
            print(self._help())
            return 0 if arguments else 2
        command, *options = arguments
        if command not in self.commands:
            raise InputError(self._unknown(command))
        module = self.modules.get(command, command)
        return import_module(f"{self.package}.{module}").run(options) or 0

    def _help(self) -> str:
        width = max(map(len, self.commands)) + 2
        lines = (f"  {name:{width}}{what}" for name, what in self.commands.items())
        usage = f"usage: {self.usage}; --help after a command lists its options"
        return "\n".join([usage, "", *lines])

    def _unknown(self, command: str) -> str:
        close = get_close_matches(command, self.commands, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return f"command {command!r} is unknown; {hint}available: {', '.join(self.commands)}"
