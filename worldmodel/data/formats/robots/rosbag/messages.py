"""ROS 2 bags: sqlite3 or MCAP, one file or several, compressed or not.

Messages are read with https://gitlab.com/ternaris/rosbags, by the definitions of ROS 2 Humble.
Definitions in a bag are not used: the library turns them into code and runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, final

from worldmodel.data.optional import library
from worldmodel.errors import InputError

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader as Storage
    from rosbags.typesys.store import Typestore

METADATA = "metadata.yaml"

STORAGES = (".db3", ".mcap")
"""How the files of a bag end."""

_LATEST = 2**63 - 1


class Topic(NamedTuple):
    """What is published under a name.

    Attributes:
        kind: Type of its messages, such as "sensor_msgs/msg/Image".
        messages: How many of them the bag declares.
    """

    kind: str
    messages: int


class Message(NamedTuple):
    """One message.

    Attributes:
        topic: Where it was published.
        stamp: When, in nanoseconds: of its header, or `logged` if it has none or it is zero.
        logged: When it was recorded, in nanoseconds.
        content: Of the type of the topic.
    """

    topic: str
    stamp: int
    logged: int
    content: Any


@final
class Bag:
    """An open bag.

    Attributes:
        topics: By name; those of several types are left out.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        with _damage_told():
            self.topics: Mapping[str, Topic] = {
                name: Topic(info.msgtype, info.msgcount)
                for name, info in sorted(storage.topics.items())
                if info.msgtype
            }

    def messages(
        self, topics: Sequence[str], start: int | None = None, stop: int | None = None
    ) -> Iterator[Message]:
        """Messages of some topics, as they were recorded.

        Args:
            topics: At least one.
            start: Leave out what was logged before, in nanoseconds.
            stop: Leave out what was logged then or later, in nanoseconds.

        Raises:
            InputError: One of them is damaged.
        """
        with _damage_told():
            wanted = [each for each in self._storage.connections if each.topic in topics]
            found = self._storage.messages(wanted, start, stop)
        while True:
            with _damage_told():
                connection, logged, data = next(found, (None, 0, b""))
                if connection is None:
                    return
                if logged > _LATEST:
                    raise ValueError(f"a message was logged at {logged} ns")
                content = _definitions().deserialize_cdr(data, connection.msgtype)
            yield Message(connection.topic, _stamp(content) or logged, logged, content)


@contextmanager
def opened(paths: Sequence[Path]) -> Iterator[Bag]:
    """Open a bag; one that is compressed as a whole is decompressed anew each time.

    Args:
        paths: A file, or the metadata and all files of a bag, wherever each lies.

    Raises:
        InputError: It cannot be opened, or the library is missing.
    """
    module = library("rosbags.rosbag2")
    with TemporaryDirectory() as temporary:
        gathered = Path(temporary)
        if len(paths) > 1:
            for path in paths:
                (gathered / path.name).symlink_to(path)
        else:
            gathered /= f"bag{paths[0].suffix.lower()}"
            gathered.symlink_to(paths[0])
        with _damage_told():
            storage: Storage = module.Reader(gathered)
            storage.open()
        try:
            yield Bag(storage)
        finally:
            storage.close()


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn into an `InputError` whatever a damaged bag makes the library stumble over."""
    try:
        yield
    except Exception as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"not a readable bag ({told:.200})") from error


@lru_cache(maxsize=1)
def _definitions() -> Typestore:
    types = library("rosbags.typesys")
    return types.get_typestore(types.Stores.ROS2_HUMBLE)


def _stamp(content: Any) -> int:
    header = getattr(content, "header", None)
    return header.stamp.sec * 10**9 + header.stamp.nanosec if header else 0
