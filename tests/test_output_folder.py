"""Whose a folder is: begun, gone on with, or refused, and nothing written where it is refused."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from worldmodel.errors import InputError
from worldmodel.output_folder import OutputFolder, check_empty


@dataclass(frozen=True)
class Inner:
    size: int = 3
    names: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True)
class Settings:
    output: Path
    seed: int = 0
    rate: float = 1e-5
    inner: Inner = field(default_factory=Inner)
    workers: int = 1


FREE = ("output", "workers")


def claim(settings: Settings) -> OutputFolder:
    return OutputFolder.claim(settings.output, "brew", settings, FREE)


def test_a_new_folder_is_made_with_a_readable_note(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "deep" / "new")
    assert not claim(settings).begun
    note = yaml.safe_load((settings.output / "brew.yaml").read_text())
    assert note == {
        "output": str(settings.output),
        "seed": 0,
        "rate": 1e-5,
        "inner": {"size": 3, "names": ["a", "b"]},
        "workers": 1,
    }
    assert [path.name for path in settings.output.iterdir()] == ["brew.yaml"]


def test_an_empty_folder_may_be_taken_whatever_is_hidden_in_it(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("")
    assert not claim(Settings(tmp_path)).begun


def test_the_same_settings_go_on_and_free_ones_may_change(tmp_path: Path) -> None:
    claim(Settings(tmp_path))
    (tmp_path / "result").write_text("x")
    assert claim(Settings(tmp_path)).begun
    assert claim(Settings(tmp_path, workers=7)).begun
    assert yaml.safe_load((tmp_path / "brew.yaml").read_text())["workers"] == 7


def test_every_difference_is_named_with_both_values(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    claim(settings)
    other = replace(settings, rate=0.5, inner=Inner(names=("a",)), workers=2)
    with pytest.raises(InputError) as refusal:
        claim(other)
    told = str(refusal.value)
    assert f"{tmp_path} was begun with other settings" in told
    assert "inner.names was ['a', 'b'] and is ['a']; rate was 1e-05 and is 0.5;" in told
    assert "workers" not in told
    assert yaml.safe_load((tmp_path / "brew.yaml").read_text())["workers"] == 1


def test_a_folder_of_another_work_is_refused(tmp_path: Path) -> None:
    claim(Settings(tmp_path))
    (tmp_path / "result").write_text("x")
    message = "holds brew.yaml, result, nothing that `worldmodel stew` could go on with; choose"
    with pytest.raises(InputError, match=message):
        OutputFolder.claim(tmp_path, "stew", Settings(tmp_path))


def test_a_long_list_of_what_is_in_the_way_is_cut(tmp_path: Path) -> None:
    for name in "edcba":
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="holds a, b, c and 2 more; choose another folder"):
        check_empty(tmp_path)


def test_a_damaged_note_is_named(tmp_path: Path) -> None:
    for damaged in ("- 1\n", "seed: [\n", "", "\udce4"):
        (tmp_path / "brew.yaml").write_text(damaged, errors="surrogateescape")
        with pytest.raises(InputError, match=r"brew\.yaml: expected the settings of an earlier"):
            claim(Settings(tmp_path))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match=r"expected a folder to write to, .*file is not one"):
        claim(Settings(tmp_path / "file" / "below"))
    assert (tmp_path / "file").read_text() == "precious"


def test_checking_writes_nothing(tmp_path: Path) -> None:
    folder = OutputFolder.checked(tmp_path / "new", "brew", {"seed": 1})
    assert list(tmp_path.iterdir()) == []
    folder.begin()
    assert (tmp_path / "new" / "brew.yaml").read_text() == "seed: 1\n"


def test_a_hidden_note_leaves_the_folder_clean(tmp_path: Path) -> None:
    OutputFolder.claim(tmp_path, "brew", {"seed": 1}, note=".unfinished.yaml")
    assert OutputFolder.claim(tmp_path, "brew", {"seed": 1}, note=".unfinished.yaml").begun
    check_empty(tmp_path)
