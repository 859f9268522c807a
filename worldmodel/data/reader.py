"""What a format of recordings is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

from worldmodel.data.files.folder import Folder
from worldmodel.data.recording import Flaw, Frames, Signals, View
from worldmodel.data.scale import Scale
from worldmodel.errors import InputError


class Unit(NamedTuple):
    """What is scanned at once, and again only when one of its files has changed.

    Attributes:
        name: Unique within the data set.
        files: Relative to the folder; those that do not exist count as absent.
    """

    name: str
    files: tuple[str, ...]


def one_per_file(folder: Folder, files: Sequence[str], expected: str) -> Iterator[Unit]:
    """A unit for each of some files.

    Args:
        folder: Which they are in.
        files: Names.
        expected: What they would be called, for the error.

    Raises:
        InputError: There are none.
    """
    if not files:
        raise InputError(f"{folder}: expected {expected}, found {len(folder.files)} other files")
    return (Unit(file, (file,)) for file in files)


class Reader(ABC):
    """Reads one format from a folder; holds no open file and can be sent to another process.

    Attributes:
        title: What the format is called in a sentence.
        timed: Whether parts should go by time rather than by name: the views are stretches of one
            long series.
        libraries: Modules that it needs beyond those that are always installed.
        scale: What the bytes of a picture measure; None if they are just brightness.
    """

    title: ClassVar[str]
    timed: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    scale: Scale | None = None

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @classmethod
    @abstractmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether the folder looks like this format; may look into a file, never fails."""

    @abstractmethod
    def units(self) -> Iterable[Unit]:
        """What there is to scan, in a fixed order.

        Raises:
            InputError: The folder holds nothing of this format; says what was expected and what
                is there.
        """

    @abstractmethod
    def scan(self, unit: Unit) -> Iterable[View | Flaw]:
        """Learn about recordings without decoding their pictures.

        Checks structure, signals and all that is cheap to check, so that `frames` and `signals`
        fail for damaged pictures only.

        Raises:
            InputError: Nothing of the unit can be used.
        """

    @abstractmethod
    def frames(self, view: View, steps: range) -> Frames:
        """Decode some pictures, and no more of the file than is needed.

        Args:
            view: From `scan`.
            steps: Consecutive frames, within the view's length.

        Returns:
            Pictures of exactly the size that the view declares, one per step.

        Raises:
            InputError: A picture cannot be decoded undamaged; names file, episode and frame.
        """

    @abstractmethod
    def signals(self, view: View) -> Signals:
        """Actions and states of a whole view.

        Raises:
            InputError: They are damaged; names file and episode.
        """
