"""What the README shows must run, and what it names must be there."""

import re
from pathlib import Path

import pytest

from worldmodel.cli import COMMANDS
from worldmodel.commands.normal_form import CONFIGS
from worldmodel.envs.tabletop.tasks import SUCCESS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    printed = re.fullmatch(r"(\d+\.\d) cm from the goal\n", capsys.readouterr().out)
    assert printed
    assert float(printed[1]) < 100 * SUCCESS


def test_every_command_is_shown() -> None:
    shown = set(re.findall(r"`worldmodel ([\w-]+)[ `]", TEXT))
    assert shown - {"COMMAND"} == set(COMMANDS)


def test_shipped_configurations_are_named_as_they_are() -> None:
    named = set(re.findall(r"--config ([a-z-]+)", TEXT))
    assert named <= {path.stem for path in CONFIGS.glob("*.yaml")}
    assert named


def test_files_that_are_named_exist() -> None:
    linked = re.findall(r"\]\(([^):]+)\)", TEXT)
    rows = re.findall(r"^\| (?:\d \| )?((?:`[\w./]+`(?:, )?)+) \|", TEXT, re.MULTILINE)
    listed = re.findall(r"`([\w./]*[/.][\w./]*)`", " ".join(rows))
    assert len(linked) > 3
    assert len(listed) > 20
    assert [name for name in [*linked, *listed] if not (ROOT / name).exists()] == []


def test_the_file_tree_is_complete() -> None:
    inside = {path.name for path in (ROOT / "worldmodel").iterdir() if path.suffix != ".typed"}
    assert [name for name in inside if not name.startswith("__") and name not in TEXT] == []
