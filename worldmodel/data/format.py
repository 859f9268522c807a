"""What a format of recordings consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from worldmodel.data.files.folder import Folder
from worldmodel.data.optional import library
from worldmodel.data.reader import Reader
from worldmodel.data.writer import Writer


@final
@dataclass(frozen=True)
class Format:
    """One way to keep recordings.

    Attributes:
        name: What a user chooses it by, lower case with hyphens.
        title: What it is called in a sentence.
        reader: Reads it.
        writer: Writes it; None if nothing does.
        extra: What to `pip install` for the libraries of the reader, "" if it needs none.
    """

    name: str
    title: str
    reader: type[Reader]
    writer: type[Writer] | None = None
    extra: str = ""

    def open(self, folder: Folder) -> Reader:
        """A reader of a folder.

        Raises:
            InputError: A library is missing; says how to install it.
        """
        for module in self.reader.libraries:
            library(module, self.extra)
        return self.reader(folder)
