"""What a format of recordings is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import ClassVar, NamedTuple

from worldmodel.data.files.folder import Folder
from worldmodel.data.recording import Camera, Flaw, Frames, Recording, Signals, no_signals
from worldmodel.errors import InputError, located


class Quantity(NamedTuple):
    """What is measured, such as "reflectivity", and its unit, such as "dBZ"."""

    name: str
    unit: str


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
    check_any(folder, files, expected)
    return (Unit(file, (file,)) for file in files)


def check_any(folder: Folder, found: Sized, expected: str) -> None:
    """Refuse a folder that holds nothing of a format.

    Raises:
        InputError: Says what was expected.
    """
    if not found:
        raise InputError(f"{folder}: expected {expected}, found {len(folder.files)} other files")


def undamaged(
    names: Iterable[str], camera: Callable[[str], Camera]
) -> tuple[tuple[Camera, ...], list[InputError]]:
    """Those cameras of a recording that can be used, and what is wrong with the others.

    Args:
        names: Of the cameras.
        camera: What is known of one of that name; may raise `InputError`.

    Raises:
        InputError: None can be used.
    """
    cameras, damaged = [], []
    for name in names:
        try:
            with located(camera=name):
                cameras.append(camera(name))
        except InputError as error:
            damaged.append(error)
    if not cameras:
        raise damaged[0]
    return tuple(cameras), damaged


class Reader(ABC):
    """Reads one format from a folder; holds no open file and can be sent to another process.

    Errors say which file and which frame is to blame where it is not the recording's own file, or
    a single frame is; who asked for the recording adds its file and name.

    Attributes:
        version: To be raised with every change of what the format finds in the same files, or of
            what their pictures become.
        timed: Whether parts should go by time rather than by name: the recordings are stretches of
            one long series.
        libraries: Modules that it needs beyond those that are always installed.
        quantity: What the bytes of a picture measure; None if they are just brightness.
    """

    version: ClassVar[int] = 1
    timed: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    quantity: Quantity | None = None

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
    def scan(self, unit: Unit) -> Iterable[Recording | Flaw]:
        """Learn about recordings without decoding their pictures.

        Checks structure, signals and all that is cheap to check, so that `frames` and `signals`
        fail for damaged pictures only. A camera that is damaged costs its recording no other one.

        Raises:
            InputError: Nothing more of the unit can be used.
        """

    @abstractmethod
    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some pictures, and no more of the file than is needed.

        Args:
            recording: From `scan`.
            camera: One of its cameras.
            steps: Consecutive frames, within the camera's length.

        Returns:
            Pictures of exactly the size that the camera declares, one per step.

        Raises:
            InputError: A picture cannot be decoded undamaged.
        """

    @abstractmethod
    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and states beside all frames of a camera.

        Raises:
            InputError: They are damaged.
        """


class ActionFree(Reader, ABC):
    """A format of recordings in which nobody acts."""

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """There are none."""
        return no_signals(camera.length)
