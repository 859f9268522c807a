"""Files of a data set, here and behind URLs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest
from formats.robonet import RoboNetCase
from reading import frames_of, opened

from worldmodel.data.files.folder import Folder
from worldmodel.data.opening import open_source
from worldmodel.errors import InputError


def test_a_folder_lists_what_is_below_it_but_nothing_hidden(tmp_path: Path) -> None:
    for name in ("b/c.txt", "a.TXT", ".hidden", ".git/config", "b/.d"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    folder = Folder(tmp_path)
    assert list(folder.files) == ["a.TXT", "b/c.txt"]
    assert folder.named(".txt") == ["a.TXT", "b/c.txt"]
    assert folder.files["b/c.txt"].size == 7
    assert folder.local("b/c.txt").read_text() == "b/c.txt"
    assert "b/c.txt" in folder


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link").symlink_to(tmp_path / "real")
    assert list(Folder(tmp_path / "set").files) == ["link/a.txt"]


def test_a_single_file_is_a_folder_of_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text("y")
    folder = Folder(tmp_path / "a.txt")
    assert list(folder.files) == ["a.txt"]
    assert folder.name == "a.txt"
    assert folder.local("a.txt") == tmp_path / "a.txt"


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("nowhere", "nowhere: expected a folder or a file of recordings, got none"),
        ("nosuchprotocol://x", "nosuchprotocol://x: cannot be listed"),
        ("memory://nothing/here", "memory://nothing/here"),
    ],
)
def test_what_is_not_there_is_told(location: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Folder(location)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InputError, match=r"b\.txt: there is no such file"):
        Folder(tmp_path).local("b.txt")


def test_recordings_behind_a_url_are_those_on_disk(tmp_path: Path) -> None:
    RoboNetCase().write(tmp_path)
    memory = fsspec.filesystem("memory")
    memory.put(f"{tmp_path}/", "/robots/", recursive=True)
    local, remote = opened(tmp_path), open_source(["memory://robots"])
    assert [view.recording.name for view in remote.views] == [
        view.recording.name for view in local.views
    ]
    np.testing.assert_array_equal(frames_of(remote, 1), frames_of(local, 1))
    single = open_source(["memory://robots/1.hdf5"])
    np.testing.assert_array_equal(frames_of(single, 0), frames_of(local, 1))
    memory.rm("/robots", recursive=True)


def test_a_changed_file_behind_a_url_is_fetched_again() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/set/a.txt", b"one")
    assert Folder("memory://set").local("a.txt").read_bytes() == b"one"
    memory.pipe("/set/a.txt", b"two")
    assert Folder("memory://set").local("a.txt").read_bytes() == b"two"
    memory.rm("/set", recursive=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serves a folder over HTTP."""
    handler = partial(_Quiet, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_recordings_are_read_over_http(server: tuple[str, Path]) -> None:
    url, folder = server
    (folder / "robots").mkdir()
    RoboNetCase().write(folder / "robots")
    remote, local = open_source([f"{url}/robots/"]), opened(folder / "robots")
    assert len(remote) == len(local)
    np.testing.assert_array_equal(frames_of(remote, 0), frames_of(local, 0))
