"""Folders that commands write to: one work each, and nothing in them is overwritten."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import yaml

from worldmodel.errors import InputError
from worldmodel.settings import as_yaml, differences, dotted, plain
from worldmodel.whole_file import whole_file

_SHOWN = 3
"""Names of what is in the way, at most."""


@final
@dataclass(frozen=True)
class OutputFolder:
    """A folder that holds, or will hold, one work with certain settings.

    A note in the folder, readable YAML, tells whose it is: a command that was stopped finds its own
    note when it is given again and goes on.

    Attributes:
        root: The folder.
        note: The file with the settings.
        settings: What the note says, or will say.
        begun: Whether the folder was there already, with these settings.
    """

    root: Path
    note: Path
    settings: Mapping[str, Any]
    begun: bool

    @classmethod
    def checked(
        cls,
        root: Path | str,
        work: str,
        settings: Any,
        free: Collection[str] = (),
        note: str | None = None,
    ) -> Self:
        """The folder, if this work may begin or go on there; nothing is written yet.

        Args:
            root: The folder; it need not exist.
            work: Name of the command.
            settings: All that decides what will be in the folder, as a dataclass or a mapping.
            free: Dotted names of settings that may change when the work goes on.
            note: Name of the note; `WORK.yaml` if left out. A name that starts with a dot hides it.

        Raises:
            InputError: The folder cannot be written, holds something else, or was begun with other
                settings; names what it holds, or every setting that differs and both its values.
        """
        root = Path(root)
        path = root / (note or f"{work}.yaml")
        check_writable(root)
        ours = plain(settings)
        if not path.is_file():
            check_empty(root, f"nothing that `worldmodel {work}` could go on with")
            return cls(root, path, ours, begun=False)
        if differing := differences(dotted(read_note(path)), dotted(ours), free):
            raise InputError(
                f"output: {root} was begun with other settings: {'; '.join(differing)}; "
                "give the same settings to go on there, or choose another folder"
            )
        return cls(root, path, ours, begun=True)

    @classmethod
    def claim(
        cls,
        root: Path | str,
        work: str,
        settings: Any,
        free: Collection[str] = (),
        note: str | None = None,
    ) -> Self:
        """As `checked`, and the folder is made and its note written."""
        folder = cls.checked(root, work, settings, free, note)
        folder.begin()
        return folder

    def begin(self) -> None:
        """Make the folder and write the note, unless it says the same already.

        Raises:
            InputError: The folder cannot be made.
        """
        if self.begun and read_note(self.note) == self.settings:
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with whole_file(self.note) as unfinished:
                unfinished.write_text(as_yaml(self.settings))
        except OSError as error:
            raise InputError(f"output: {self.root} cannot be written ({error})") from error


def read_note(path: Path) -> dict[str, Any]:
    """Settings that a folder was begun with.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        return dict(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: expected the settings of an earlier run ({reason})") from error


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written.

    Raises:
        InputError: Names what is in the way.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise InputError(f"output: expected a folder to write to, {there} is not one") from error


def check_empty(folder: Path, remark: str = "") -> None:
    """Refuse a folder that holds anything; what starts with a dot does not count.

    Args:
        folder: It need not exist.
        remark: What to say of what it holds.

    Raises:
        InputError: Names some of what it holds.
    """
    held = sorted(path.name for path in folder.glob("[!.]*")) if folder.exists() else []
    if held:
        more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
        found = ", ".join(held[:_SHOWN]) + more + (f", {remark}" if remark else "")
        raise InputError(f"output: {folder} holds {found}; choose another folder")
