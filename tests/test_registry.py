"""Names in any spelling, things of other packages, and errors that list what there is."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from worldmodel import registry
from worldmodel.errors import InputError
from worldmodel.registry import Registry

OURS = {"square-root": "math:sqrt", "pi++": "math:pi"}


def outside(monkeypatch: pytest.MonkeyPatch, **places: str) -> None:
    def installed(*, group: str) -> Iterator[EntryPoint]:
        assert group == "worldmodel.numbers"
        return (EntryPoint(name, where, group) for name, where in places.items())

    monkeypatch.setattr(registry, "entry_points", installed)


@pytest.mark.parametrize("name", ["square-root", "SquareRoot", "SQUARE_ROOT", "square root"])
def test_any_spelling_finds_it(name: str) -> None:
    assert Registry("number", OURS)[name](9) == 3
    assert name in Registry("number", OURS)


def test_plus_signs_are_spelled_out() -> None:
    assert 3 < Registry[float]("number", OURS)["PiPlusPlus"] < 4


def test_an_unknown_name_is_told_the_nearest_and_all() -> None:
    nearest = r"number 'squareroot2' .* square-root\? available: square-root, pi"
    with pytest.raises(InputError, match=nearest):
        Registry("number", OURS)["squareroot2"]


def test_other_packages_add_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    outside(monkeypatch, tau="math:tau")
    numbers = Registry[float]("number", OURS)
    assert list(numbers) == ["square-root", "pi++", "tau"]
    assert 6 < numbers["Tau"] < 7


def test_a_name_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    outside(monkeypatch, **{"square-root": "math:tau"})
    with pytest.raises(InputError, match="registered twice, as math:sqrt and math:tau"):
        Registry("number", OURS)["square-root"]
    assert Registry[float]("number", OURS)["pi++"] > 3


def test_a_broken_package_is_named_when_its_thing_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside(monkeypatch, gone="no_such_package:thing")
    numbers = Registry("number", OURS)
    assert numbers["square-root"](4) == 2
    with pytest.raises(InputError, match=r"'gone': no_such_package:thing .*No module named"):
        numbers["gone"]
