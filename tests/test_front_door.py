"""What `import worldmodel` offers, and what it leaves alone."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

import worldmodel as wm
from worldmodel.checkpoint import load
from worldmodel.evaluation import evaluate
from worldmodel.planners.cem import CEM
from worldmodel.training.train import train

WATCHED = """
import sys
started = []
watched = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "os.system", "pty.spawn")

def hook(event, arguments):
    if event in watched and arguments[0] != "uname":  # which `platform` asks for the processor
        started.append((event, arguments))

sys.addaudithook(hook)
import worldmodel as wm
"""


def run(program: str) -> None:
    """A program in a process of its own, which must end well."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_import_itself_reads_no_library() -> None:
    run("dir(wm), wm.InputError; assert not {'torch', 'numpy', 'mujoco'}.intersection(sys.modules)")


def test_nothing_that_is_offered_starts_a_process_or_draws() -> None:
    run(
        "for name in wm.__all__: getattr(wm, name)\n"
        "assert started == [], started\n"
        "assert not {'mujoco', 'glfw', 'OpenGL'}.intersection(sys.modules)"
    )


def test_names_are_the_things_themselves() -> None:
    assert (wm.load, wm.evaluate, wm.train, wm.CEM) == (load, evaluate, train, CEM)
    assert wm.__version__ == version("worldmodel")


def test_all_names_are_listed_and_there() -> None:
    assert set(wm.__all__) <= set(dir(wm))
    for name in wm.__all__:
        assert getattr(wm, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'worldmodel' has no attribute 'lode'"):
        wm.lode  # pyright: ignore  # noqa: B018


def test_the_package_is_a_program() -> None:
    given = [sys.executable, "-m", "worldmodel", "--version"]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    assert done.stdout == f"worldmodel {wm.__version__}\n"


def test_output_that_nobody_reads_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    given = [sys.executable, "-m", "worldmodel", "--help"]
    done = subprocess.run(given, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
