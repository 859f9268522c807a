"""The authors' own numbers, through the same code as `bench/parity.py`."""

from pathlib import Path

import numpy as np
import parity
import pytest

from worldmodel.errors import InputError

FIXTURES = [
    "predrnn_official",
    "predrnn_official_layernorm",
    "predrnn_v2_official_rss",
    "predrnn_v2_action_official",
    "patch_orders",
    "sampling_schedules",
    "openstl_convlstm",
    "openstl_mim",
    "openstl_e3dlstm",
    "motionrnn_predrnn_official_zeroinit",
    "motion_details_rnn_official",
    "rim_thesis_cell_k6",
    "slot_attention_thesis",
]


@pytest.mark.data
@pytest.mark.parametrize("name", FIXTURES)
def test_numbers_of_the_published_code(name: str, fixtures: Path) -> None:
    comparisons = parity.compare(fixtures / f"{name}.npz")
    assert comparisons
    assert [c for c in comparisons if not c.holds] == []


@pytest.mark.data
def test_a_changed_weight_is_noticed(fixtures: Path, tmp_path: Path) -> None:
    with np.load(fixtures / "predrnn_official.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["w/cell_list.1.conv_h.0.weight"] = arrays["w/cell_list.1.conv_h.0.weight"] * 1.01
    np.savez(tmp_path / "changed.npz", **arrays)
    assert parity.main([str(tmp_path / "changed.npz")]) == 1


@pytest.mark.data
def test_missing_and_unknown_weights_are_named(fixtures: Path, tmp_path: Path) -> None:
    with np.load(fixtures / "predrnn_official.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["w/cell_list.7.conv_h.0.weight"] = arrays.pop("w/cell_list.1.conv_h.0.weight")
    np.savez(tmp_path / "renamed.npz", **arrays)
    with pytest.raises(
        InputError, match=r"missing cells\.1\.conv_h.*unknown cell_list\.7\.conv_h.*here cells\.7"
    ):
        parity.compare(tmp_path / "renamed.npz")


def test_unknown_fixture_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main([str(tmp_path / "nothing.npz")]) == 2
    assert "no such fixture" in capsys.readouterr().err
